"""Prints the OpenAPI document of a station with tokens: `python -m app.openapi_document`."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any, Final, cast

import structlog

from app.factory import create_app
from config.settings import load_settings

_NOWHERE: Final = {"REDIS_URL": "redis://127.0.0.1:1", "WAYSTATION_AUTH": "required"}


def openapi() -> dict[str, Any]:
    """The document; no Redis is needed for it."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    app = create_app(load_settings(_NOWHERE))
    with app.app_context():
        return cast("dict[str, Any]", app.spec)


def main() -> None:
    """Print it."""
    json.dump(openapi(), sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
