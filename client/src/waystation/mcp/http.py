"""Serving over HTTP: where to listen, and who may call."""

from __future__ import annotations

import hmac
import ipaddress
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from waystation.errors import ConfigurationError

LOOPBACK: Final = "127.0.0.1"
DEFAULT_PATH: Final = "/mcp"
_LOOPBACK_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
_SCHEMES: Final = ("http", "https")
_PORTS: Final = range(65536)


@dataclass(frozen=True, kw_only=True)
class Listening:
    """Where the server listens; beyond loopback every call needs the token.

    Raises:
        ConfigurationError: it is to listen beyond loopback without a token.
    """

    host: str = LOOPBACK
    port: int
    """0 lets the system choose."""
    path: str = DEFAULT_PATH
    token: str | None = field(default=None, repr=False)
    names: Sequence[str] = ()
    """By which names or addresses clients call it, beside `host` and those of loopback."""

    def __post_init__(self) -> None:
        if not self.is_loopback and not self.token:
            raise ConfigurationError(
                f"Whoever reaches {self.host} could speak as your agent: set WAYSTATION_MCP_TOKEN"
                " or WAYSTATION_MCP_TOKEN_FILE to what clients must send as a bearer token."
            )

    @classmethod
    def at(cls, address: str, **options: Any) -> Self:  # noqa: ANN401 - the fields of the class
        """Listen at `[host:]port`. Raises `ConfigurationError`."""
        host, _, port = address.rpartition(":")
        is_bare_ipv6 = ":" in host and not host.startswith("[")
        if is_bare_ipv6 or not port.isdecimal() or int(port) not in _PORTS:
            raise ConfigurationError(f"{address} is no [HOST:]PORT, such as {LOOPBACK}:8765.")
        return cls(host=host.strip("[]") or LOOPBACK, port=int(port), **options)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def bind(self) -> socket.socket:
        """Listen. Raises `ConfigurationError` where that is not possible."""
        try:
            family = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0][0]
            return socket.create_server((self.host, self.port), family=family)
        except OSError as error:
            raise ConfigurationError(f"{self.host}:{self.port}: {error.strerror}.") from error

    def url(self, bound: socket.socket) -> str:
        """The address for a client's configuration."""
        return f"http://{_bracketed(self.host)}:{bound.getsockname()[1]}{self.path}"

    @property
    def security(self) -> TransportSecuritySettings:
        """Which Host and Origin are let in: a page that rebinds a name to us has others."""
        names = dict.fromkeys([*_LOOPBACK_NAMES, _bracketed(self.host), *self.names])
        hosts = [form for name in names for form in (name, f"{name}:*")]
        return TransportSecuritySettings(
            allowed_hosts=hosts,
            allowed_origins=[
                f"{scheme}://{host}" for scheme in ("http", "https") for host in hosts
            ],
        )


def bearer_token(environ: Mapping[str, str] | None = None) -> str | None:
    """What clients have to send, of the environment. Raises `ConfigurationError`."""
    environ = os.environ if environ is None else environ
    if token := environ.get("WAYSTATION_MCP_TOKEN"):
        return token
    if not (file := environ.get("WAYSTATION_MCP_TOKEN_FILE")):
        return None
    try:
        token = Path(file).expanduser().read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The token's file {file} can't be read: {error}.") from error
    if not token:
        raise ConfigurationError(f"The token's file {file} is empty.")
    return token


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


class BearerOnly:
    """Lets only those through who send the token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 401."""
        if scope["type"] == "http" and not self._is_known(scope):
            refusal = PlainTextResponse(
                "This MCP server asks for a bearer token.",
                status_code=401,
                headers={"WWW-Authenticate": "Bearer"},
            )
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_known(self, scope: Scope) -> bool:
        sent = dict(scope["headers"]).get(b"authorization", b"")
        return hmac.compare_digest(sent, self._expected)
