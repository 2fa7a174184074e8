"""Logging: lines for people and machines, and no secret in either."""

import json
import logging
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog

from config import logging as station_logging


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def test_a_json_line_carries_process_event_and_fields(capsys: pytest.CaptureFixture[str]) -> None:
    station_logging.configure(process="routing", fmt="json", level="info")

    structlog.get_logger("broker.routing").info("message.routed", message_id="msg_1", attempt=2)

    line = json.loads(capsys.readouterr().err)
    assert line["process"] == "routing"
    assert line["event"] == "message.routed"
    assert line["logger"] == "broker.routing"
    assert (line["message_id"], line["attempt"]) == ("msg_1", 2)


@pytest.mark.parametrize("fmt", ["console", "json"])
def test_no_line_shows_a_password(
    fmt: Literal["console", "json"], capsys: pytest.CaptureFixture[str]
) -> None:
    station_logging.configure(process="web", fmt=fmt, level="info")
    url = "redis://user:hush@127.0.0.1:6379/0"

    structlog.get_logger("a").warning("redis.away", url=url, token="hush", at=["x", url])
    logging.getLogger("redis").warning("no answer from %s", url)
    structlog.get_logger("a").error("redis.failed", exc_info=ConnectionError(url))

    lines = capsys.readouterr().err
    assert "hush" not in lines
    assert "redis://user:***@127.0.0.1:6379/0" in lines
    assert "ConnectionError" in lines


@pytest.mark.parametrize("fmt", ["console", "json"])
def test_no_line_shows_a_token(
    fmt: Literal["console", "json"], capsys: pytest.CaptureFixture[str]
) -> None:
    station_logging.configure(process="web", fmt=fmt, level="info")
    secret = "s3cr3t-_" * 5 + "abc"
    token = f"wsk_01M7XF2CCG8KEW528XPJPPZH03_{secret}"
    signed = f"eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJib2IifQ.{secret}"

    structlog.get_logger("a").info("asked", path=f"/keys/{token}", authorization=token, at=[token])
    logging.getLogger("library").warning("bad token %s", signed)
    structlog.get_logger("a").error("failed", exc_info=ValueError(f"Bearer {token[:-5]} {signed}"))

    lines = capsys.readouterr().err
    assert secret[:10] not in lines
    assert "eyJzdWIiOiJib2IifQ" not in lines
    assert "wsk_01M7XF2CCG8KEW528XPJPPZH03_***" in lines


def test_no_line_shows_a_webhooks_secret_or_url(capsys: pytest.CaptureFixture[str]) -> None:
    station_logging.configure(process="delivery", fmt="json", level="debug")

    structlog.get_logger("a").info("asked", body=["whsec_c2VjcmV0+/s3cr3t=="])
    for level in (logging.DEBUG, logging.WARNING):
        logging.getLogger("urllib3.connectionpool").log(level, "POST %s", "/hook?token=s3cr3t")

    lines = capsys.readouterr().err
    assert "whsec_***" in lines
    assert "s3cr3t" not in lines


def test_lines_below_the_level_are_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    station_logging.configure(process="web", fmt="json", level="warning")

    structlog.get_logger("a").info("quiet")

    assert capsys.readouterr().err == ""
