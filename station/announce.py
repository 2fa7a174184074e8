"""Waits until the station is ready and says so: `python -m station.announce <station's pid>`.

Its own process, because the station itself has become supervisord by then.
"""

import http.client
import json
import os
import signal
import sys
import time

from broker.kernel.errors import BrokerError
from broker.wiring import build_broker
from config.lifeline import die_with_parent
from config.settings import ROOT, Settings, load_settings
from station import procfile
from station.layout import Layout

READY_WITHIN_SECONDS = 60
_POLL_SECONDS = 0.1

_READY = """\
Waystation is ready at {url}
  data  {data}
  logs  {logs}
"""

_TRY_IT = """
Try it, in another terminal; docs/quick-start.md goes on from there:
  export WAYSTATION_URL={url}
  script/waystation agents register bob
  script/waystation send bob hello --as alice
  script/waystation inbox --take --as bob
"""

_FIRST_KEY = """
Callers need a token. This is the key of the first admin; it is shown now and never again:

  {token}

"""

_NEEDS_KEY = """
Callers need a token. An admin makes them; whoever has lost the admin's:
  .venv/bin/python -m station.admin_key
"""

_TRY_WITH_KEY = """
Make a key for an agent with it, in another terminal, and keep it as a profile:
  export WAYSTATION_URL={url}
  WAYSTATION_TOKEN=<the admin's> script/waystation keys create bob --scope agent:bob --save bob
  script/waystation --profile bob agents register
"""

_STOP = """
Ctrl-C stops it.
"""


def main() -> None:
    """Poll readiness; print where the station listens, or what keeps it from being ready."""
    station_pid = int(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches us too; no traceback for it
    die_with_parent(parent_pid=station_pid)
    settings = load_settings()
    layout = Layout(data_dir=settings.data_dir)
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    status, body = 0, b""
    while time.monotonic() < deadline and os.getppid() == station_pid:
        status, body = _ask(settings)
        if status == http.client.OK:
            _say(_READY.format(url=_url(settings), data=layout.data_dir, logs=layout.logs))
            _say(_how_to_begin(settings) + _STOP)
            return
        time.sleep(_POLL_SECONDS)
    _say("\n".join(reasons(status, body, layout)) + "\n")


def _how_to_begin(settings: Settings) -> str:
    """Say what to try; where callers need a token, give out the first admin's, once ever.

    It goes to the terminal alone: supervisord, which keeps logs, never sees this process's output.
    """
    url = _url(settings)
    if not settings.auth_required:
        return _TRY_IT.format(url=url)
    if settings.admin_token is None:
        try:
            # Read again: the embedded Redis has said by now how it is reached.
            issued = build_broker(load_settings()).identity.keys.create_first()
        except BrokerError as error:
            return f"\nThere is no admin key yet, and none could be made: {error.detail}\n"
        if issued is not None:
            return _FIRST_KEY.format(token=issued.token) + _TRY_WITH_KEY.format(url=url).lstrip()
    return _NEEDS_KEY + _TRY_WITH_KEY.format(url=url)


def _ask(settings: Settings) -> tuple[int, bytes]:
    """Return the status and body of /health/ready; status 0 means that nobody answered."""
    connection = http.client.HTTPConnection(_host(settings), settings.api_port, timeout=2)
    try:
        connection.request("GET", "/health/ready")
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def reasons(status: int, body: bytes, layout: Layout) -> list[str]:
    """Say which processes are not up, by their starts and by the answer, and where to look."""
    lines = [f"The station is not ready after {READY_WITHIN_SECONDS} seconds; it goes on trying."]
    for entry in procfile.parse((ROOT / "Procfile").read_text()):
        starts = layout.starts_of(entry.name)
        count = int(starts.read_text().split()[0]) if starts.exists() else 0
        if count > 1:
            lines.append(
                f"  {entry.name} was started {count} times: see {layout.log_of(entry.name)}"
            )
    if status == 0:
        lines.append(f"  web does not answer: see {layout.log_of('web')}")
    else:
        lines.append(f"  /health/ready answers {status}: {_brief(body)}")
    return [*lines, f"  all logs: {layout.logs}"]


def _brief(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body))
    except ValueError:
        return body.decode(errors="replace")[:500]


def _host(settings: Settings) -> str:
    """Return where this machine reaches the API; all interfaces are no destination."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.api_host, settings.api_host)


def _url(settings: Settings) -> str:
    host = _host(settings)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.api_port}"


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
