"""Posting to endpoints that others name, within bounds of time and size.

Redirects are not followed, proxies of the environment not used; TLS is verified by the endpoint's
name.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from functools import cached_property
from http.client import HTTPException
from typing import Any, Final

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, SSLError
from urllib3.response import BaseHTTPResponse

from broker.delivery.dialler import AddressBook, Dialler, RefusedAddressError
from broker.delivery.endpoint import Endpoint
from broker.delivery.verdict import Answer, Answered, Unreached
from broker.kernel.clock import MILLISECONDS, Clock, system_clock, to_ms

_READ_AT_MOST: Final = 64 * 1024
_EXCERPT: Final = 200
_SECRET_LENGTH: Final = 6
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\s\u2028\u2029]+")


class _PlainConnection(HTTPConnection):
    """A connection whose address the dialler chooses."""

    def __init__(self, *args: Any, dialler: Dialler, **options: Any) -> None:  # noqa: ANN401 - urllib3's own
        super().__init__(*args, **options)
        self._dialler = dialler

    def _new_conn(self) -> socket.socket:
        return self._dialler.dial(self._dns_host, self.port)


class _TlsConnection(HTTPSConnection):
    """The same through TLS; the name that is verified is the endpoint's, whatever the address."""

    def __init__(self, *args: Any, dialler: Dialler, **options: Any) -> None:  # noqa: ANN401 - urllib3's own
        super().__init__(*args, **options)
        self._dialler = dialler

    def _new_conn(self) -> socket.socket:
        return self._dialler.dial(self._dns_host, self.port)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class Connection:
    """A connection to one endpoint, opened with the first request and kept for the next."""

    def __init__(self, endpoint: Endpoint, pool: HTTPConnectionPool, dialler: Dialler) -> None:
        self.endpoint = endpoint
        self._pool = pool
        self._dialler = dialler

    def post(self, body: bytes, headers: Mapping[str, str], *, timeout_ms: int) -> Answer:
        """Post, and what came of it; the answer must be complete within the time."""
        seconds = timeout_ms / MILLISECONDS
        try:
            with self._dialler.within(seconds):
                return self._answer(body, headers, seconds)
        except RefusedAddressError as error:
            return Unreached(reason=str(error), is_refused=True)
        except (HTTPError, HTTPException, OSError) as error:
            return Unreached(reason=self._why(error, seconds))

    def close(self) -> None:
        """Close it."""
        self._pool.close()
        self._dialler.close()

    def _answer(self, body: bytes, headers: Mapping[str, str], seconds: float) -> Answered:
        response = self._pool.urlopen(
            "POST",
            self.endpoint.target,
            body=body,
            headers=dict(headers),
            retries=False,
            redirect=False,
            assert_same_host=False,
            timeout=Timeout(total=seconds),
            preload_content=False,
            decode_content=False,
        )
        text = response.read(_READ_AT_MOST)
        if self._dialler.was_cut:
            raise TimeoutError  # what was cut off may look like an end
        if len(text) < _READ_AT_MOST:
            response.release_conn()
        else:
            response.close()
        return Answered(
            status=response.status,
            retry_after_ms=_retry_after_ms(response, system_clock),
            excerpt=_excerpt(text.decode(errors="replace"), headers.values()),
        )

    def _why(self, error: Exception, seconds: float) -> str:
        """What went wrong, in words that hold nothing of the request."""
        cause = _root_of(error)
        if self._dialler.was_cut or isinstance(cause, TimeoutError):
            return f"no complete answer within {seconds:g} seconds"
        if isinstance(cause, socket.gaierror):
            return f"{self.endpoint.host} can't be resolved"
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the certificate is not trusted: {cause.verify_message}"
        if isinstance(cause, SSLError | ssl.SSLError):
            return "TLS failed"
        if isinstance(cause, ConnectionRefusedError):
            return "the connection was refused"
        return f"the connection failed ({type(cause).__name__})"


class WebhookClient:
    """Connects to endpoints."""

    def __init__(self, book: AddressBook, *, tls: ssl.SSLContext | None = None) -> None:
        """`tls` decides whose certificates are trusted; the system's authorities by default."""
        self._book = book
        self._given_tls = tls

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        # Few processes connect to endpoints, and all would keep the authorities in memory.
        return self._given_tls or ssl.create_default_context()

    @contextmanager
    def connected(self, endpoint: Endpoint) -> Iterator[Connection]:
        """A connection that is closed in the end."""
        dialler = Dialler(self._book)
        options: dict[str, Any] = {"maxsize": 1, "dialler": dialler}
        pool: HTTPConnectionPool = (
            _TlsPool(endpoint.host, endpoint.port, ssl_context=self._tls, **options)
            if endpoint.is_encrypted
            else _PlainPool(endpoint.host, endpoint.port, **options)
        )
        connection = Connection(endpoint, pool, dialler)
        try:
            yield connection
        finally:
            connection.close()


def _root_of(error: BaseException) -> BaseException:
    """The error behind those that only wrap it."""
    while isinstance(error, HTTPError):
        inner = error.__cause__ or error.__context__ or next(iter(_wrapped(error)), None)
        if inner is None:
            return error
        error = inner
    return error


def _wrapped(error: HTTPError) -> Iterator[BaseException]:
    yield from (part for part in error.args if isinstance(part, BaseException))


def _retry_after_ms(response: BaseHTTPResponse, clock: Clock) -> int | None:
    """When the endpoint wants to be asked again (RFC 9110, 10.2.3): seconds or a moment."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return int(text[:9]) * MILLISECONDS
    try:
        return max(0, to_ms(parsedate_to_datetime(text)) - clock())
    except (ValueError, TypeError):
        return None


def _excerpt(text: str, sent: Iterable[str]) -> str:
    """How a text begins, without what an endpoint may only echo: our headers hold secrets."""
    for word in sorted({word for value in sent for word in value.split()}, key=len, reverse=True):
        if len(word) >= _SECRET_LENGTH:
            text = text.replace(word, "…")
    return _CONTROL.sub(" ", text)[:_EXCERPT].strip()
