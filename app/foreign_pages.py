"""Pages of other hosts: no browser may use this station for them.

On loopback the station knows no callers, and a page may make a browser send requests there. It
cannot read the answers, but to ask an inbox is to lease its messages.
"""

from __future__ import annotations

from typing import Final

from flask import Flask, request

from app.errors import ForeignOriginError

_FOREIGN: Final = "cross-site"


def refuse_foreign_pages(app: Flask) -> None:
    """Refuse what a browser says it asks for another site (https://www.w3.org/TR/fetch-metadata/)."""

    @app.before_request
    def refuse() -> None:
        if request.headers.get("Sec-Fetch-Site") == _FOREIGN:
            raise ForeignOriginError("A browser may ask for pages of this host only.")
