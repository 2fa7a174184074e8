"""Webhooks without I/O: addresses, URLs, the breaker, verdicts, signatures."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook as PublicWebhook
from standardwebhooks import WebhookVerificationError

from broker.delivery.addresses import kind_of, refusal
from broker.delivery.breaker import Breaker, BreakerPolicy, BreakerState
from broker.delivery.endpoint import Endpoint, endpoint_of
from broker.delivery.signature import WebhookSecret, new_secret, signed_headers
from broker.delivery.verdict import Answered, Outcome, Unreached, judge
from broker.delivery.webhook import Webhook, WebhookDefinition
from broker.kernel.clock import system_clock
from broker.kernel.errors import InvalidFieldsError
from broker.kernel.ids import AgentId

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "0.1.2.3",
        "10.255.255.255",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:0:7f00:1::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2002:808:808::1",
        "3fff::1",
        "4000::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fe80::1%eth0",
        "2606:4700::1%eth0",
        "fec0::1",
        "ff02::1",
        "localhost",
        "",
    ],
)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert refusal(address, allow_private=False)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "93.184.216.34",
        "172.32.0.1",
        "100.128.0.1",
        "192.0.1.1",
        "2606:4700::1111",
        "2a00:1450:4001::200e",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
    ],
)
def test_a_public_address_is_not(address: str) -> None:
    assert refusal(address, allow_private=False) is None


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.0.0.1", "fd12::1", "100.64.0.1"])
def test_inner_addresses_can_be_allowed(address: str) -> None:
    assert refusal(address, allow_private=True) is None


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "fd00:ec2::254",
        "fe80::1",
        "0.0.0.0",
        "224.0.0.1",
    ],
)
def test_metadata_services_and_nobodys_addresses_can_not(address: str) -> None:
    assert refusal(address, allow_private=True)


@given(st.ip_addresses(v=4))
def test_an_address_is_judged_alike_however_it_is_embedded(address: IPv4Address) -> None:
    mapped = IPv6Address(f"::ffff:{address}")
    translated = IPv6Address(f"64:ff9b::{address}")

    assert kind_of(address) == kind_of(mapped) == kind_of(translated)


@given(st.ip_addresses())
def test_no_address_that_the_standard_library_calls_inner_is_public(
    address: IPv4Address | IPv6Address,
) -> None:
    inner = (
        address.is_loopback
        or address.is_private
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
    )
    embeds = isinstance(address, IPv6Address) and (
        address.ipv4_mapped is not None or address in IPv6Network("64:ff9b::/96")
    )

    assert not inner or embeds or kind_of(address) is not None


# --- URLs ---------------------------------------------------------------------------------------


def test_a_url_is_taken_apart() -> None:
    assert endpoint_of("https://hook.example/a%20b?c=d", allow_private=False) == Endpoint(
        scheme="https", host="hook.example", port=443, target="/a%20b?c=d"
    )
    assert endpoint_of("http://[::1]:8080", allow_private=True) == Endpoint(
        scheme="http", host="::1", port=8080, target="/"
    )


@pytest.mark.parametrize(
    "url",
    [
        "http://hook.example/",
        "ftp://hook.example/",
        "hook.example",
        "https://",
        "https:///path",
        "https://user@hook.example/",
        "https://user:password@hook.example/",
        "https://hook.example/#part",
        "https://hook.example:0/",
        "https://hook.example:99999/",
        "https://hook.example:port/",
        "https://[fe80::1%25eth0]/",
        "https://[::1/",
        "https://hook.example\\@127.0.0.1/",
        "https://hook.example/ HTTP/1.1",
        "https://hook.example/\r\nX: y",
        "https://höök.example/",
        "https://hook.example/" + "x" * 2048,
    ],
)
def test_a_url_that_says_too_much_or_too_little_is_refused(url: str) -> None:
    with pytest.raises(InvalidFieldsError) as refused:
        endpoint_of(url, allow_private=False)

    assert {problem.field for problem in refused.value.problems} == {"url"}


# --- the breaker --------------------------------------------------------------------------------

POLICY = BreakerPolicy(failures=3, open_ms=60_000)


def test_a_breaker_opens_after_failures_in_a_row_and_closes_by_one_success() -> None:
    breaker = Breaker()
    for now in (1, 2):
        breaker = breaker.after_failure(now, POLICY)
        assert breaker.state(now, POLICY) is BreakerState.CLOSED

    breaker = breaker.after_failure(3, POLICY)

    assert breaker.state(3, POLICY) is BreakerState.OPEN
    assert breaker.state(60_002, POLICY) is BreakerState.OPEN
    assert breaker.state(60_003, POLICY) is BreakerState.HALF_OPEN
    assert breaker.after_success() == Breaker()


def test_the_attempt_of_a_half_open_breaker_opens_it_again() -> None:
    breaker = Breaker(failures=3, opened_at=0)

    again = breaker.after_failure(70_000, POLICY)

    assert again.state(70_000, POLICY) is BreakerState.OPEN
    assert again.retry_at(POLICY) == 130_000


@given(st.lists(st.booleans()))
def test_a_breaker_is_closed_unless_the_last_failures_are_too_many(successes: list[bool]) -> None:
    breaker, in_a_row = Breaker(), 0
    for succeeds in successes:
        breaker = breaker.after_success() if succeeds else breaker.after_failure(0, POLICY)
        in_a_row = 0 if succeeds else in_a_row + 1

    assert (breaker.opened_at is None) is (in_a_row < POLICY.failures)
    assert breaker.failures == in_a_row


# --- verdicts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "retry_after_ms", "outcome"),
    [
        (200, None, Outcome.DELIVERED),
        (204, None, Outcome.DELIVERED),
        (299, None, Outcome.DELIVERED),
        (302, None, Outcome.FAILED),
        (400, None, Outcome.FAILED),
        (404, 1_000, Outcome.FAILED),
        (410, None, Outcome.GONE),
        (429, None, Outcome.FAILED),
        (429, 1_000, Outcome.PAUSED),
        (500, 1_000, Outcome.FAILED),
        (503, 1_000, Outcome.PAUSED),
        (503, None, Outcome.FAILED),
        (999, None, Outcome.FAILED),
    ],
)
def test_what_a_status_means(status: int, retry_after_ms: int | None, outcome: Outcome) -> None:
    assert judge(Answered(status=status, retry_after_ms=retry_after_ms)).outcome is outcome


def test_what_no_answer_means() -> None:
    assert judge(Unreached(reason="x")).outcome is Outcome.FAILED
    assert judge(Unreached(reason="x", is_refused=True)).outcome is Outcome.REFUSED


def test_an_endpoint_can_not_ask_for_a_pause_of_days() -> None:
    assert judge(Answered(status=429, retry_after_ms=10**12)).pause_ms == 3_600_000


# --- signatures ---------------------------------------------------------------------------------


def test_secrets_are_of_the_standards_form_and_never_twice_the_same() -> None:
    made = {new_secret() for _ in range(10)}

    assert len(made) == 10
    assert all(secret.startswith("whsec_") for secret in made)


@given(st.text(max_size=50))
def test_a_signature_is_verified_by_the_public_library(text: str) -> None:
    body = text.encode()
    secret = new_secret()
    headers = signed_headers([secret], webhook_id="msg_1", at_ms=system_clock(), body=body)

    PublicWebhook(secret).verify(body, headers, json_parse=False)
    for other in (body + b" ", b"x" + body):
        with pytest.raises(WebhookVerificationError):
            PublicWebhook(secret).verify(other, headers, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        PublicWebhook(new_secret()).verify(body, headers, json_parse=False)


def test_two_secrets_make_two_signatures_apart_by_a_space() -> None:
    old, new = new_secret(), new_secret()

    headers = signed_headers([new, old], webhook_id="msg_1", at_ms=system_clock(), body=b"{}")

    assert [one[:3] for one in headers["webhook-signature"].split(" ")] == ["v1,", "v1,"]
    for secret in (old, new):
        PublicWebhook(secret).verify(b"{}", headers)


def test_the_old_secret_signs_until_the_overlap_has_passed() -> None:
    webhook = Webhook(
        agent_id=AgentId("bob"),
        definition=WebhookDefinition(url="https://hook.example/"),
        secret=WebhookSecret("new"),
        old_secret=WebhookSecret("old"),
        old_until=100,
    )

    assert webhook.secrets_at(99) == ("new", "old")
    assert webhook.secrets_at(100) == ("new",)


def test_a_webhook_in_a_log_shows_no_secret() -> None:
    webhook = Webhook(
        agent_id=AgentId("bob"),
        definition=WebhookDefinition(url="https://hook.example/", headers={"x": "hidden-1"}),
        secret=WebhookSecret("hidden-2"),
        old_secret=WebhookSecret("hidden-3"),
    )

    assert "hidden" not in repr(webhook)
