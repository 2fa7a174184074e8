"""The address of a webhook: a URL that says where to post, and nothing that it should not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from broker.kernel.errors import FieldProblem, InvalidFieldsError

MAX_URL: Final = 2048

# Printable ASCII without what parsers disagree about; names of other scripts come as punycode.
_PLAIN: Final = re.compile(r"[!-~]+")
_AMBIGUOUS: Final = re.compile(r"[\\\"<>^`{|}]")
_NO_HOST: Final = "must name a host and, if any, a port of 1 to 65535"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where to post: the parts of a URL that was checked. `target` is its path and query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def is_encrypted(self) -> bool:
        """Whether it is reached through TLS."""
        return self.scheme == "https"


def endpoint_of(url: str, *, allow_private: bool) -> Endpoint:
    """The endpoint of a URL. Raises `InvalidFieldsError` for the field `url`.

    Without `allow_private` it is https: what is sent leaves the house.
    """
    problems = list(_problems(url, allow_private=allow_private))
    if problems:
        raise InvalidFieldsError([FieldProblem(field="url", message=one) for one in problems])
    parts = urlsplit(url)
    path = parts.path or "/"
    return Endpoint(
        scheme=parts.scheme,
        host=parts.hostname or "",
        port=parts.port or _DEFAULT_PORTS[parts.scheme],
        target=f"{path}?{parts.query}" if parts.query else path,
    )


def _problems(url: str, *, allow_private: bool) -> Iterator[str]:
    if len(url) > MAX_URL:
        yield f"must have at most {MAX_URL} characters"
    if not _PLAIN.fullmatch(url) or _AMBIGUOUS.search(url):
        yield "must be a URL of plain ASCII, other characters escaped"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        yield _NO_HOST
        return
    if parts.scheme not in _DEFAULT_PORTS:
        yield "must begin with https://"
    elif parts.scheme != "https" and not allow_private:
        yield "must begin with https:// (or set WAYSTATION_WEBHOOK_ALLOW_PRIVATE)"
    if not host or port == 0 or "%" in host:
        yield _NO_HOST
    if "@" in parts.netloc:
        yield "must hold no user or password; use a header for that"
    if "#" in url:
        yield "must have no fragment"
