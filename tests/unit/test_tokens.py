"""The form of the station's own tokens, and the scopes that they carry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.kernel.errors import InvalidFieldsError
from broker.kernel.ids import AgentId, Partition, new_id
from broker.security.principal import Role
from broker.security.scopes import MAX_SCOPES, checked, is_scope, principal_of, scopes_of
from broker.security.tokens import TokenKind, digest

KEY_ID = new_id("key", at_ms=1, partition=Partition(3))


def test_a_token_names_its_record_and_no_two_are_alike() -> None:
    one, other = TokenKind.KEY.new(KEY_ID), TokenKind.KEY.new(KEY_ID)

    assert one != other
    assert one.startswith(f"wsk_{KEY_ID[4:]}_")
    assert len(one) == len(f"wsk_{KEY_ID[4:]}_") + 43
    assert TokenKind.KEY.identifier(one) == TokenKind.KEY.identifier(other) == KEY_ID


def test_what_is_kept_of_a_token_does_not_hold_it() -> None:
    token = TokenKind.KEY.new(KEY_ID)

    assert digest(token) == digest(token)
    assert token[-43:] not in digest(token)


def test_a_token_of_one_kind_is_none_of_the_other() -> None:
    assert TokenKind.INVITATION.identifier(TokenKind.KEY.new(KEY_ID)) is None


@given(st.text() | st.from_regex(r"wsk_[0-9A-Z]{20,30}_[\w-]{40,46}"))
def test_no_text_makes_reading_a_token_fail(text: str) -> None:
    found = TokenKind.KEY.identifier(text)

    assert found is None or found.removeprefix("key_") in text


@pytest.mark.parametrize("bad", ["{}\n", " {}", "{}=", "wsk_{}", "{}/"])
def test_nothing_may_stand_around_a_token(bad: str) -> None:
    assert TokenKind.KEY.identifier(bad.format(TokenKind.KEY.new(KEY_ID))) is None


@pytest.mark.parametrize("scope", ["agent:bob", "agent:user", "operator", "admin", "integration:x"])
def test_a_scope_that_there_is_is_taken(scope: str) -> None:
    assert checked([scope, scope]) == (scope,)


@pytest.mark.parametrize(
    "scope",
    ["", "root", "agent:", "agent:a b", "agent:*", "agent:system", "agent:broadcast", "ADMIN"],
)
def test_any_other_scope_is_refused_by_its_place(scope: str) -> None:
    with pytest.raises(InvalidFieldsError) as caught:
        checked(["operator", scope])

    assert [problem.field for problem in caught.value.problems] == ["scopes.1"]


@pytest.mark.parametrize("count", [0, MAX_SCOPES + 1])
def test_a_key_has_some_scopes_but_not_any_number(count: int) -> None:
    with pytest.raises(InvalidFieldsError):
        checked([f"agent:a{number}" for number in range(count)])


def test_scopes_make_a_principal_and_foreign_ones_mean_nothing() -> None:
    principal = principal_of("key_x", ["agent:bob", "operator", "integration:ci", "openid"], None)

    assert principal.may_act_as(AgentId("bob"))
    assert principal.may_act_as(AgentId("user"))
    assert not principal.may_act_as(AgentId("alice"))
    assert principal.roles == {Role.OPERATOR}
    assert principal.integrations == {"ci"}
    assert scopes_of(principal) == ["agent:bob", "integration:ci", "operator"]


def test_not_even_an_admin_speaks_as_an_agent() -> None:
    admin = principal_of("key_x", ["admin"], None)

    assert admin.is_admin
    assert admin.is_operator
    assert not admin.may_act_as(AgentId("bob"))
    assert not admin.may_act_as(AgentId("system"))


@given(st.text())
def test_only_scopes_of_the_known_forms_are_scopes(text: str) -> None:
    roles = {role.value for role in Role}

    assert not is_scope(text) or text in roles or text.startswith(("agent:", "integration:"))
