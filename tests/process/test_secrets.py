"""No secret is kept or shown by a busy station, wherever a caller puts it (SPEC Z4)."""

import secrets
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.process.stations import Station, running
from tests.waiting import until

ADMIN_TOKEN = secrets.token_urlsafe(32)


class Callers:
    """Calls of a station that remember every secret, and every answer that should hold none."""

    def __init__(self, station: Station, signing_key: ed25519.Ed25519PrivateKey) -> None:
        self.url = f"{station.url}/api/v1"
        claims = {"sub": "ci", "aud": "waystation", "exp": time.time() + 600, "scope": "operator"}
        self.signed = jwt.encode(claims, signing_key, algorithm="EdDSA")
        self.secrets = [ADMIN_TOKEN, self.signed]
        self.answers: list[str] = []

    def call(self, method: str, path: str, token: str, document: Any = None) -> dict[str, Any]:
        """Call, and return what was answered."""
        response = requests.request(
            method,
            f"{self.url}{path}",
            json=document,
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        )
        self.answers.append(f"{response.headers} {response.text}")
        found: dict[str, Any] = response.json() if response.content else {}
        return found

    def issue(self, path: str, document: Any, name: str = "token", token: str = ADMIN_TOKEN) -> str:
        """Have a secret given out; the answer that does so is the only one to hold it."""
        secret = str(self.call("POST", path, token, document)[name])
        assert secret in self.answers.pop()
        self.secrets.append(secret)
        return secret


def work_as_every_caller(callers: Callers) -> None:
    """Give tokens of every kind out, use them, end them."""
    alice = callers.issue("/keys", {"name": "alice", "scopes": ["agent:alice"]})
    key_id = callers.call("GET", "/keys", ADMIN_TOKEN)["keys"][0]["id"]
    invitation = callers.issue("/invitations", {})
    registration = {"id": "bob", "invitation": invitation}
    bob = callers.issue("/agents/register", registration, "api_key", token=alice)
    callers.call("POST", "/agents/register", alice, {"id": "alice"})
    for number in range(50):
        message = {"from": "alice", "to": "bob", "body": f"message {number}"}
        callers.call("POST", "/messages", alice, message)
    leased = callers.call("GET", "/agents/bob/inbox?limit=50&wait_seconds=10", bob)["messages"]
    for one in leased:
        held = {"agent_id": "bob", "lease_token": one["lease"]["token"]}
        callers.call("POST", f"/messages/{one['id']}/ack", bob, held)
    rotated = callers.issue(f"/keys/{key_id}/rotate", {"overlap_seconds": 60})
    callers.call("GET", "/me", rotated)
    callers.call("GET", "/stats", callers.signed)
    callers.call("DELETE", f"/keys/{key_id}", ADMIN_TOKEN)


def misplace(callers: Callers, secret: str) -> None:
    """Put a secret wherever a caller may put one by mistake."""
    for token in (ADMIN_TOKEN, f"{secret}x", f"x{secret}"):
        callers.call("GET", f"/keys/{secret}", token)
        callers.call("GET", f"/messages?token={secret}", token)
        callers.call("GET", f"/messages?from={secret}", token)
        callers.call("GET", f"/agents/{secret}", token)
        callers.call("GET", f"/{secret}/{secret}", token)
        callers.call("POST", "/keys", token, {secret: secret, "scopes": [secret]})
        callers.call("POST", "/messages", token, {"from": "user", "to": secret, "body": "hi"})
        callers.call("POST", "/messages", token, [secret])
        callers.call("POST", "/agents/register", token, {"id": "eve", "invitation": secret})


@pytest.mark.timeout(240)
def test_a_busy_station_neither_keeps_nor_shows_a_secret(tmp_path: Path) -> None:
    signing_key = ed25519.Ed25519PrivateKey.generate()
    pem = signing_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with running(
        tmp_path / "station",
        WAYSTATION_AUTH="required",
        WAYSTATION_ADMIN_TOKEN=ADMIN_TOKEN,
        WAYSTATION_JWT_PUBLIC_KEY=pem.decode(),
        WAYSTATION_REGISTRATION="invitation",
        WAYSTATION_LOG_LEVEL="debug",
    ) as station:
        callers = Callers(station, signing_key)
        work_as_every_caller(callers)
        for secret in list(callers.secrets[1:]):
            misplace(callers, secret)
        for path in ("/stats", "/keys", "/invitations", "/health/score"):
            callers.call("GET", path, ADMIN_TOKEN)
        station.get("-m", "workers", "routing").kill()
        until(
            lambda: "routing" in (station.data_dir / "log" / "station.log").read_text(),
            within=20,
            what="a line about the process that was killed",
        )
        metrics = requests.get(
            f"{station.url}/metrics", headers={"Authorization": f"Bearer {ADMIN_TOKEN}"}, timeout=30
        ).text
        redis_password = (station.data_dir / "redis" / "url").read_text().split(":")[2][:43]

    assert "waystation_" in metrics
    assert len(callers.secrets) == 6
    kept = {
        file: file.read_bytes()
        for file in [*station.data_dir.rglob("*"), station.output]
        if file.is_file() and file.name != "url"
    }
    assert any(file.suffix == ".aof" for file in kept)
    for secret in [*callers.secrets, redis_password]:
        # Part of one would do harm as well: a token ends in its secret part.
        part = secret[-30:-2]
        assert part not in metrics
        assert not [answer for answer in callers.answers if part in answer]
        assert not [file for file, text in kept.items() if part.encode() in text]
