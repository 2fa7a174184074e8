"""Signed tokens: whom they prove, by the keys that an identity provider publishes."""

import base64
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.contract.conftest import MakeGuarded

pytestmark = pytest.mark.contract


class Provider:
    """An identity provider: signs tokens, and publishes its key."""

    def __init__(self) -> None:
        self.key = ed25519.Ed25519PrivateKey.generate()
        self.asked = 0

    def token(self, key_id: str = "one", **claims: Any) -> str:
        held = {"sub": "ci", "aud": "waystation", "exp": time.time() + 60, "scope": "agent:ci"}
        return jwt.encode(held | claims, self.key, algorithm="EdDSA", headers={"kid": key_id})

    def published(self) -> str:
        raw = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        point = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
        return f'{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"one","use":"sig","x":"{point}"}}]}}'

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Publish the key; where."""
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked += 1
                self.send_response(200)
                self.end_headers()
                self.wfile.write(provider.published().encode())

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=lambda: server.serve_forever(0.01), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/jwks"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def test_a_signed_token_proves_who_asks_by_the_published_key(make_guarded: MakeGuarded) -> None:
    provider = Provider()
    with provider.serving() as url:
        station = make_guarded(jwt_jwks_url=url)

        shown = station.get("/me", provider.token()).get_json()
        made_up = [
            station.get("/me", provider.token(f"key-{number}")).status_code for number in range(10)
        ]

        assert (shown["name"], shown["scopes"]) == ("jwt:ci", ["agent:ci"])
        assert set(made_up) == {401}
        assert provider.asked == 1

    station.forget()
    assert station.get("/me", provider.token()).status_code == 200


def test_while_the_provider_is_away_it_is_not_said_that_a_token_is_wrong(
    make_guarded: MakeGuarded,
) -> None:
    provider = Provider()
    with provider.serving() as url:
        pass
    station = make_guarded(jwt_jwks_url=url)

    response = station.get("/me", provider.token())

    assert (response.status_code, response.get_json()["code"]) == (503, "identity_unavailable")
    assert int(response.headers["Retry-After"]) > 0
    assert station.get("/me").status_code == 200


@pytest.mark.parametrize(
    "published",
    ["", "<html>", "[]", '{"keys":[3]}', '{"keys":[]}', "[" * 100_000, '{"keys":[{"kty":"oct"}]}'],
    ids=lambda text: text[:20],
)
def test_a_provider_that_publishes_nonsense_counts_as_away(
    make_guarded: MakeGuarded, monkeypatch: pytest.MonkeyPatch, published: str
) -> None:
    provider = Provider()
    monkeypatch.setattr(provider, "published", lambda: published)
    with provider.serving() as url:
        station = make_guarded(jwt_jwks_url=url)

        assert station.get("/me", provider.token()).status_code == 503


def test_a_signed_token_for_another_service_is_refused(make_guarded: MakeGuarded) -> None:
    provider = Provider()
    pem = provider.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    station = make_guarded(jwt_public_key=pem.decode())

    assert station.get("/me", provider.token()).status_code == 200
    assert station.get("/me", provider.token(aud="another")).status_code == 401
