"""Prints the AsyncAPI document of a station with tokens: `python -m app.asyncapi_document`."""

from __future__ import annotations

import json
import sys

from app.asyncapi import document

if __name__ == "__main__":
    sys.stdout.write(
        json.dumps(document(asks_for_tokens=True), indent=2, ensure_ascii=False) + "\n"
    )
