"""The application: one Flask over one broker, made by `create_app`."""

from __future__ import annotations

import structlog
from apiflask import APIFlask

from app import websocket
from app.context import AppContext
from app.foreign_pages import refuse_foreign_pages
from app.limits import limit_requests
from app.metrics import count_requests
from app.openapi import describe
from app.paths import check_ids
from app.refusals import answer_errors
from app.rest import PREFIX, mount
from broker.kernel.errors import StorageUnavailableError
from broker.wiring import Broker, build_broker
from config.settings import Settings, load_settings

_log = structlog.get_logger(__name__)


def create_app(settings: Settings | None = None, broker: Broker | None = None) -> APIFlask:
    """The application that gunicorn serves; while Redis is away, it answers 503.

    Raises `SettingsError`, and `DataVersionError` where Redis holds data that this version can't
    use.
    """
    settings = settings or load_settings()
    context = AppContext(broker or build_broker(settings, answers_first=True), settings)
    app = APIFlask(
        "app",
        title="Waystation",
        version="0.1.0",
        json_errors=False,
        docs_path=None,
        spec_path=f"{PREFIX}/openapi.json",
    )
    app.url_map.merge_slashes = False
    context.attach_to(app)
    refuse_foreign_pages(app)
    limit_requests(app, context)
    check_ids(app)
    answer_errors(app)
    describe(app, asks_for_tokens=settings.auth_required)
    count_requests(app)
    mount(app)
    websocket.register(app, context)
    try:
        context.prepare()
    except StorageUnavailableError as error:
        _log.warning("station.waits_for_redis", error=error.detail)
    return app
