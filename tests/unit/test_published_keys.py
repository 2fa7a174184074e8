"""Published keys: fetched seldom, whoever asks for whatever."""

from collections.abc import Mapping

import pytest
from jwt import PyJWKClientConnectionError

from broker.kernel.errors import IdentityUnavailableError
from broker.security.published_keys import (
    FRESH_SECONDS,
    PAUSE_SECONDS,
    PublishedKeys,
    VerificationKey,
)


class Provider:
    """An identity provider whose keys and health a test decides; it counts what it is asked."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.is_away = False
        self.asked = 0
        self.now = 1_000_000.0
        self.keys = PublishedKeys(self.fetch, monotonic=lambda: self.now)

    def fetch(self) -> Mapping[str, VerificationKey]:
        self.asked += 1
        if self.is_away:
            raise PyJWKClientConnectionError("away")
        return {name: VerificationKey(key=name, algorithm="EdDSA") for name in self.names}

    def finds(self, name: str | None) -> bool:
        return self.keys.find(name) is not None


def test_a_key_is_fetched_once_and_then_known() -> None:
    provider = Provider("one")

    assert all(provider.finds("one") for _ in range(100))
    assert provider.asked == 1


def test_unknown_ids_cause_no_fetches_however_many_come() -> None:
    provider = Provider("one")
    provider.finds("one")

    assert not any(provider.finds(f"made-up-{number}") for number in range(1000))
    assert provider.asked == 1

    provider.now += PAUSE_SECONDS
    assert not any(provider.finds(f"made-up-{number}") for number in range(1000))
    assert provider.asked == 2


def test_a_new_key_of_the_provider_is_found_after_the_pause() -> None:
    provider = Provider("one")
    provider.finds("one")
    provider.names = ("one", "two")

    assert not provider.finds("two")
    provider.now += PAUSE_SECONDS
    assert provider.finds("two")


def test_a_key_that_the_provider_withdrew_is_forgotten() -> None:
    provider = Provider("one", "two")
    provider.finds("one")
    provider.names = ("two",)

    provider.now += FRESH_SECONDS

    assert not provider.finds("one")
    assert provider.finds("two")
    assert provider.asked == 2


def test_known_keys_go_on_while_the_provider_is_away_and_others_can_not_be_judged() -> None:
    provider = Provider("one")
    provider.finds("one")
    provider.is_away = True
    provider.now += FRESH_SECONDS

    assert provider.finds("one")
    with pytest.raises(IdentityUnavailableError) as caught:
        provider.finds("two")

    assert not caught.value.permanent
    assert provider.asked == 2


def test_a_provider_that_was_never_there_is_asked_again_after_the_pause() -> None:
    provider = Provider("one")
    provider.is_away = True
    for _ in range(10):
        with pytest.raises(IdentityUnavailableError):
            provider.finds("one")
    assert provider.asked == 1

    provider.is_away = False
    provider.now += PAUSE_SECONDS

    assert provider.finds("one")


def test_a_token_that_names_no_key_means_the_only_one() -> None:
    assert Provider("one").finds(None)
    assert not Provider("one", "two").finds(None)
