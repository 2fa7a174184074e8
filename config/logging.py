"""Logging: one structlog pipeline for our lines and the libraries', to stderr, without secrets."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Literal

import structlog

_URL_PASSWORD = re.compile(
    r"(?P<before>\b[a-z][a-z0-9+.-]*://[^\s/@:]*:)[^\s/@]+(?=@)", re.IGNORECASE
)
_HIDDEN = "***"
_SECRET_FIELDS = frozenset({"authorization", "lease_token", "password", "secret", "token"})


def configure(*, process: str, fmt: Literal["console", "json"], level: str) -> None:
    """Send every logger of this process to stderr, each line naming the process.

    Called once by each entry point; a second call replaces the first.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )

    def name_process(
        _logger: object, _method: str, event: MutableMapping[str, object]
    ) -> MutableMapping[str, object]:
        return {**event, "process": process}

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                name_process,
                structlog.processors.format_exc_info,
                redact,
                _renderer(fmt),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())


def redact(
    _logger: object, _method: str, event: MutableMapping[str, object]
) -> MutableMapping[str, object]:
    """Hide passwords in URLs and the values of fields that are secret by name (SPEC Z4)."""
    return {
        key: _HIDDEN if key.lower() in _SECRET_FIELDS else without_passwords(value)
        for key, value in event.items()
    }


def without_passwords(value: object) -> object:
    """Return the value with the password of any URL in its text hidden.

    Numbers and the like pass as they are; other objects are logged by their text.
    """
    if value is None or isinstance(value, bool | int | float):
        return value
    return _URL_PASSWORD.sub(rf"\g<before>{_HIDDEN}", str(value))


def _renderer(fmt: Literal["console", "json"]) -> structlog.typing.Processor:
    if fmt == "json":
        return structlog.processors.JSONRenderer(sort_keys=True)
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
