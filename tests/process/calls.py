"""Calls to a station that may be going down or coming up, every answer noted in the ledger."""

import threading
from typing import Any

import requests

from tests.process.ledger import Ledger

CALL_SECONDS = 25
_AGAIN_SECONDS = 0.1

UNANSWERED = 0
UNAVAILABLE = 503


class Calls:
    """One agent's connection to a station's API; it is opened anew whenever it breaks."""

    def __init__(self, url: str, ledger: Ledger) -> None:
        self._url = f"{url}/api/v1"
        self._ledger = ledger
        self._session = requests.Session()

    def ask(self, action: str, path: str, document: object = None) -> tuple[int, Any]:
        """Return the status of an answer and its document; an unanswered call has status 0."""
        method = "GET" if document is None else "POST"
        try:
            response = self._session.request(
                method, self._url + path, json=document, timeout=CALL_SECONDS
            )
            answer = response.json()
        except requests.RequestException:
            self._ledger.answered(action, UNANSWERED)
            return UNANSWERED, {}
        code = "" if response.ok else answer["code"]
        if response.status_code == UNAVAILABLE and "Retry-After" not in response.headers:
            code += ", no Retry-After"
        self._ledger.answered(action, response.status_code, code)
        return response.status_code, answer

    def ask_until_decided(
        self, action: str, path: str, document: object, *, unless: threading.Event
    ) -> dict[str, Any]:
        """Repeat a call until the station takes it or refuses it, and return what it answered."""
        while not unless.is_set():
            status, answer = self.ask(action, path, document)
            if status not in {UNANSWERED, UNAVAILABLE}:
                return dict(answer)
            unless.wait(_AGAIN_SECONDS)
        return {}

    def listed(self, path: str, name: str) -> list[dict[str, Any]]:
        """Return all pages of a list.

        Raises:
            requests.RequestException: if the station doesn't answer, or not with a page.
        """
        items: list[dict[str, Any]] = []
        cursor = None
        while True:
            response = self._session.get(
                self._url + path, params={"cursor": cursor}, timeout=CALL_SECONDS
            )
            response.raise_for_status()
            page = response.json()
            items += page[name]
            cursor = page["cursor"]
            if not cursor:
                return items
