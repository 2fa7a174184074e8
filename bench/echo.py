"""The baseline of a single POST: a bare Flask application that answers with what it was sent."""

from __future__ import annotations

from flask import Flask, Response, request


class _House:
    """What config/gunicorn.conf.py tells that the worker stops; here nothing has to know."""

    def stop(self) -> None:
        """Do nothing."""


def create_app() -> Flask:
    """The application, as gunicorn serves it beside the station, by the same configuration."""
    app = Flask("echo")
    app.extensions["waystation"] = _House()

    @app.post("/echo")
    def echo() -> Response:
        return Response(request.get_data(), mimetype="application/json")

    @app.get("/health")
    def health() -> Response:
        return Response("{}", mimetype="application/json")

    return app
