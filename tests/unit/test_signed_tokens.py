"""Signed tokens: what makes them hold, and all the ways in which they don't."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from broker.kernel.ids import AgentId
from broker.security.principal import Principal
from broker.security.signed_tokens import LEEWAY_SECONDS, SignedTokens, the_one_key

ED25519 = ed25519.Ed25519PrivateKey.generate()
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: Any) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    text: bytes = key.public_key().public_bytes(serialization.Encoding.PEM, form)
    return text.decode()


def checker(key: Any = ED25519, issuer: str | None = None) -> SignedTokens:
    return SignedTokens(the_one_key(pem(key)), issuer=issuer, audience="waystation")


def token(key: Any = ED25519, algorithm: str = "EdDSA", headers: Any = None, **claims: Any) -> str:
    held = {"sub": "bob", "aud": "waystation", "exp": int(time.time()) + 60} | claims
    present = {name: value for name, value in held.items() if value is not None}
    return jwt.encode(present, key, algorithm=algorithm, headers=headers)


def proven(signed: str, by: SignedTokens | None = None) -> Principal | None:
    return (by or checker()).opened_by(signed)


@pytest.mark.parametrize(("key", "algorithm"), [(ED25519, "EdDSA"), (RSA, "RS256")])
def test_a_token_signed_by_the_key_proves_its_subject(key: Any, algorithm: str) -> None:
    expires = int(time.time()) + 60

    principal = proven(token(key, algorithm, exp=expires, scope="agent:bob openid"), checker(key))

    assert principal is not None
    assert principal.name == "jwt:bob"
    assert principal.agents == {AgentId("bob")}
    assert principal.expires_at == (expires + LEEWAY_SECONDS) * 1000


def test_scopes_may_come_as_a_list() -> None:
    principal = proven(token(scope="agent:a", scopes=["operator", 3, "agent:b"]))

    assert principal is not None
    assert principal.is_operator
    assert principal.agents == {AgentId("a"), AgentId("b")}


def test_a_token_without_scopes_may_do_nothing_special() -> None:
    principal = proven(token())

    assert principal is not None
    assert (principal.agents, principal.roles) == (frozenset(), frozenset())


def test_clocks_may_differ_a_little() -> None:
    now = int(time.time())

    assert proven(token(exp=now - LEEWAY_SECONDS + 10)) is not None
    assert proven(token(exp=now - LEEWAY_SECONDS - 10)) is None
    assert proven(token(nbf=now + LEEWAY_SECONDS + 20)) is None


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": None},
        {"exp": "soon"},
        {"sub": None},
        {"sub": ""},
        {"sub": "a\nb"},
        {"sub": "x" * 201},
        {"aud": None},
        {"aud": "another-service"},
        {"aud": []},
    ],
    ids=str,
)
def test_a_token_that_lacks_what_it_must_say_does_not_hold(claims: dict[str, Any]) -> None:
    assert proven(token(**claims)) is None


def test_a_token_may_be_meant_for_several() -> None:
    assert proven(token(aud=["waystation", "another"])) is not None


def test_the_issuer_counts_where_it_is_set() -> None:
    strict = checker(issuer="https://idp.example")

    assert proven(token(iss="https://idp.example"), strict) is not None
    assert proven(token(iss="https://idp.example.evil"), strict) is None
    assert proven(token(), strict) is None


def test_a_token_of_another_key_does_not_hold() -> None:
    assert proven(token(ed25519.Ed25519PrivateKey.generate())) is None


def encoded(part: object) -> str:
    text = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def forged(algorithm: str, secret: bytes | None) -> str:
    """A token whose header claims an algorithm, signed with a public key as if it were a secret."""
    claims = {"sub": "eve", "aud": "waystation", "exp": int(time.time()) + 60, "scope": "admin"}
    signed = f"{encoded({'alg': algorithm, 'typ': 'JWT'})}.{encoded(claims)}"
    signature = (
        b"" if secret is None else hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    )
    return f"{signed}.{encoded(signature)}"


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", ""])
def test_an_unsigned_token_does_not_hold(algorithm: str) -> None:
    assert proven(forged(algorithm, None)) is None


@pytest.mark.parametrize("algorithm", ["HS256", "RS256", "EdDSA"])
def test_a_public_key_is_no_secret_to_sign_with(algorithm: str) -> None:
    secret = pem(RSA).encode()

    for ending in (secret, secret.strip()):
        assert proven(forged(algorithm, ending), checker(RSA)) is None


def test_the_key_decides_about_the_algorithm_and_not_the_token() -> None:
    curve = ec.generate_private_key(ec.SECP256R1())

    assert proven(token(RSA, "RS256"), checker(ED25519)) is None
    assert proven(token(RSA, "RS512"), checker(RSA)) is None
    assert proven(token(RSA, "PS256"), checker(RSA)) is None
    assert proven(token(curve, "ES256"), checker(RSA)) is None


def test_an_extension_that_must_be_understood_is_not_passed_over() -> None:
    assert proven(token(headers={"crit": ["exp"], "exp": 1})) is None


@pytest.mark.parametrize("key_id", [3, ["x"], {"a": 1}, 1.5, True])
def test_the_id_of_a_key_is_text(key_id: object) -> None:
    with_id = token().split(".")
    with_id[0] = encoded({"alg": "EdDSA", "kid": key_id})

    assert proven(".".join(with_id)) is None


CLAIMS = ("exp", "sub", "aud", "iss", "nbf", "iat", "jti", "scope", "scopes")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.text()
    | st.builds(
        lambda header, claims: f"{encoded(header)}.{encoded(claims)}.{encoded(b'x' * 64)}",
        st.fixed_dictionaries(
            {"alg": st.just("EdDSA") | JSON},
            optional=dict.fromkeys(("kid", "typ", "crit", "b64", "cty", "jku", "zip"), JSON),
        )
        | JSON,
        JSON,
    )
)
def test_no_text_at_all_makes_checking_fail_in_another_way(text: str) -> None:
    assert proven(text) is None


@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(CLAIMS, JSON),
    )
)
def test_whatever_a_provider_signs_checking_does_not_fail(claims: dict[str, Any]) -> None:
    held = {"sub": "bob", "aud": "waystation", "exp": int(time.time()) + 60} | claims
    signed = jwt.PyJWS().encode(json.dumps(held).encode(), ED25519, algorithm="EdDSA")

    principal = proven(signed)

    assert principal is None or principal.name.startswith("jwt:")


@pytest.mark.parametrize("expires", [1e400, -1e400, float("nan"), 1e30, [], {}, "1e9", True])
def test_an_end_that_is_no_time_is_none(expires: Any) -> None:
    assert proven(token(exp=expires)) is None
