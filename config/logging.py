"""Logging: one structlog pipeline for our lines and the libraries', to stderr, without secrets."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Literal

import structlog

from config.redaction import HIDDEN, without_secrets

_SECRET_FIELDS = frozenset(
    {"api_key", "authorization", "invitation", "lease_token", "password", "secret", "token"}
)


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
    # It tells the URLs of webhooks, and what is in their queries is their owners'.
    logging.getLogger("urllib3").setLevel(logging.ERROR)


def redact(
    _logger: object, _method: str, event: MutableMapping[str, object]
) -> MutableMapping[str, object]:
    """Hide what is secret by its form, and the values of fields that are so by name (SPEC Z4)."""
    return {
        key: HIDDEN if key.lower() in _SECRET_FIELDS else _shown(value)
        for key, value in event.items()
    }


def _shown(value: object) -> object:
    """Return numbers and the like as they are, all else as its text without secrets."""
    if value is None or isinstance(value, bool | int | float):
        return value
    return without_secrets(str(value))


def _renderer(fmt: Literal["console", "json"]) -> structlog.typing.Processor:
    if fmt == "json":
        return structlog.processors.JSONRenderer(sort_keys=True)
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
