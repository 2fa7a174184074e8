"""The settings of a station: the only module that reads the environment."""

import dataclasses
import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, cast

from dotenv import dotenv_values
from environs import Env, EnvValidationError

from config import setting as declare

ROOT = Path(__file__).resolve().parent.parent
"""The checkout (or the image's /srv): where `.env` is looked for and relative paths begin."""

DAY_SECONDS = 86_400

_SERVER_SCHEMES = ("redis", "rediss", "unix", "redis+sentinel")
_CLUSTER_SCHEME = "redis+cluster"


class SettingsError(ValueError):
    """The environment holds something that no station can run with; every problem is listed."""

    def __init__(self, problems: list[str]) -> None:
        """Take one sentence a problem."""
        self.problems = problems
        super().__init__("The settings can't be used:\n" + "\n".join(f"  - {p}" for p in problems))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that can be decided from outside, checked and with its unit in its name."""

    redis_url: str | None = declare.redis_url(
        "The Redis that keeps all state. Unset: the station runs its own, on loopback.",
        name="REDIS_URL",
        schemes=(*_SERVER_SCHEMES, _CLUSTER_SCHEME),
    )
    jobs_redis_url: str | None = declare.redis_url(
        "Where RQ keeps its jobs. Unset: the same server, which must not be a cluster then.",
        name="JOBS_REDIS_URL",
        schemes=_SERVER_SCHEMES,
    )
    redis_fsync: Literal["always", "everysec"] = declare.choice(
        "always",
        "When the station's own Redis writes to disk: before each answer, or once a second"
        " (faster with few clients, but a crash loses up to a second of accepted messages).",
        of=("always", "everysec"),
    )
    api_host: str = declare.text(
        "127.0.0.1",
        "The address to listen on. On anything but loopback callers need a token.",
        pattern=r"[A-Za-z0-9.:_-]+",
        legal="a host name or an IP address",
        name="API_HOST",
    )
    api_port: int = declare.port(8080, "The port to listen on.", name="API_PORT")
    data_dir: Path = declare.directory(
        Path("var"),
        "Where this station keeps its files (embedded Redis, logs); one station a directory.",
        relative_to=ROOT,
    )
    namespace: str = declare.text(
        "waystation",
        "Prefix of every Redis key; several stations can share one Redis under different ones.",
        pattern=r"[A-Za-z0-9_-]{1,64}",
        legal="1 to 64 letters, digits, - and _",
    )
    partitions: int = declare.count(
        64,
        "Into how many parts the keys are spread. Fixed once a namespace holds data.",
        least=1,
        most=1024,
    )
    web_workers: int = declare.count(1, "Processes that answer HTTP.", least=1, most=64)
    log_format: Literal["console", "json"] = declare.choice(
        "console", "How log lines look: for people or for machines.", of=("console", "json")
    )
    log_level: Literal["debug", "info", "warning", "error"] = declare.choice(
        "info", "The least severe line that is logged.", of=("debug", "info", "warning", "error")
    )

    auth: Literal["off", "required"] | None = declare.choice(
        None,
        "Whether callers need a token. Unset: off on loopback, required anywhere else, where it"
        " can't be off.",
        of=("off", "required"),
    )
    admin_token: str | None = declare.token(
        "A token that lets an admin in beside the keys that the station gives out. Unset: the first"
        " start that asks for tokens prints an admin key, once."
    )
    registration: Literal["closed", "open", "invitation"] = declare.choice(
        "closed",
        "Who may register as a new agent without a key: nobody, whoever has an invitation, or"
        " everybody. Means nothing where no tokens are asked for.",
        of=("closed", "open", "invitation"),
    )
    jwt_jwks_url: str | None = declare.https_url(
        "Where the keys are published that signed tokens (JWT) are checked with."
    )
    jwt_public_key: str | None = declare.public_key("The one key that they are checked with.")
    jwt_issuer: str | None = declare.line("Who must have issued a signed token. Unset: anybody.")
    jwt_audience: str = declare.line("Whom a signed token must be meant for.", default="waystation")

    rate_limit: str | None = declare.rates(
        "How many requests and frames each caller may send; a batch counts as its messages. Unset:"
        " 200/second where callers need a token, off where not."
    )
    rate_limit_anonymous: str | None = declare.rates(
        "The same for those who show no token that holds, by their address. Unset: 20/second. It"
        " means nothing where no tokens are asked for."
    )

    queue_max_depth: int = declare.count(
        10_000, "Messages that may wait in one inbox.", least=1, most=10_000_000
    )
    max_body_bytes: int = declare.count(
        256 * 1024, "Size of one message's body and payload.", least=1, most=64 * 1024 * 1024
    )
    max_request_bytes: int = declare.count(
        16 * 1024 * 1024,
        "Size of one HTTP request or WebSocket frame, checked before it is parsed.",
        least=1024,
        most=1024 * 1024 * 1024,
    )
    message_ttl_seconds: float = declare.seconds(
        DAY_SECONDS, "How long a message may wait when its sender says nothing."
    )
    message_max_ttl_seconds: float = declare.seconds(
        30 * DAY_SECONDS, "The longest wait that a sender may ask for."
    )
    retention_seconds: float = declare.seconds(
        DAY_SECONDS, "How long a finished message stays readable.", least=0
    )
    idempotency_seconds: float = declare.seconds(
        DAY_SECONDS, "How long a repeated idempotency key finds its first message."
    )
    activity_max_events: int = declare.count(
        2_000, "Events that the activity stream keeps, per partition.", least=0, most=100_000_000
    )

    max_attempts: int = declare.count(
        3, "Deliveries of one message before it is a dead letter.", least=1, most=100
    )
    retry_delay_seconds: float = declare.seconds(
        60, "Wait before the second attempt; it doubles with each further one.", least=0
    )
    retry_max_delay_seconds: float = declare.seconds(
        3600, "The longest wait between attempts.", least=0
    )
    lease_seconds: float = declare.seconds(60, "How long a fetched message is held for its reader.")
    lease_max_seconds: float = declare.seconds(
        43_200, "The longest lease that a reader may ask for."
    )
    dead_letter_retry_seconds: float = declare.seconds(
        300, "Wait before a dead letter is tried again; it doubles each time."
    )
    dead_letter_max_retries: int = declare.count(
        3, "Automatic retries of a dead letter; 0 turns them off.", least=0, most=100
    )
    dead_letter_retention_seconds: float = declare.seconds(
        7 * DAY_SECONDS, "How long a dead letter is kept."
    )

    webhook_allow_private: bool = declare.flag(
        "Whether webhooks may go to loopback and private addresses, and without TLS."
    )
    webhook_timeout_seconds: float = declare.seconds(
        15, "How long an endpoint may take to answer when its agent says nothing.", most=60
    )
    breaker_failures: int = declare.count(
        5, "Failures in a row after which a destination is given up for a while.", least=1, most=100
    )
    breaker_open_seconds: float = declare.seconds(
        60, "How long it is given up; then one attempt decides whether it is tried again."
    )

    stale_after_seconds: float = declare.seconds(
        90, "Silence after which an agent counts as stale."
    )
    offline_after_seconds: float = declare.seconds(
        300, "Silence after which an agent is offline and its leases return."
    )

    discovery_roots: tuple[Path, ...] | None = declare.directories(
        "Directories under which agents are looked for: git worktrees, CLAUDE.md, AGENTS.md."
    )
    discovery_seconds: float = declare.seconds(
        0, "How often they are searched; 0 searches only when an operator asks.", least=0
    )
    discovery_mode: Literal["report", "register"] = declare.choice(
        "report", "What becomes of agents that are found.", of=("report", "register")
    )

    redis_is_embedded: bool = False
    """True when REDIS_URL was unset, so that the station runs the Redis in its data directory."""

    @property
    def auth_required(self) -> bool:
        """Whether callers need a token (SPEC Z1)."""
        return self.auth == "required" or (
            self.auth is None and not declare.is_loopback(self.api_host)
        )

    @property
    def caller_rates(self) -> str | None:
        """How often who is known may ask; None without limit (SPEC Z3)."""
        return self._rates(self.rate_limit, "200/second")

    @property
    def anonymous_rates(self) -> str | None:
        """How often an address may ask without proof; None without limit."""
        return self._rates(self.rate_limit_anonymous, "20/second") if self.auth_required else None

    def _rates(self, given: str | None, guarded: str) -> str | None:
        chosen = given or (guarded if self.auth_required else "off")
        return None if chosen == "off" else chosen

    @property
    def takes_signed_tokens(self) -> bool:
        """Whether a JWT may prove who asks."""
        return self.jwt_jwks_url is not None or self.jwt_public_key is not None

    @property
    def embedded_redis_url_file(self) -> Path:
        """Where the embedded Redis says how to reach it (0600: the URL holds its password)."""
        return self.data_dir / "redis" / "url"


SETTINGS = declare.settings_of(Settings)

_OF_CLIENTS = frozenset(
    f"WAYSTATION_{name}" for name in ("URL", "AGENT", "TOKEN", "TOKEN_FILE", "PROFILE", "CONFIG")
)
"""What a client reads; whoever starts a station may have set it for the agents."""


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read and check the settings; with an `environ` given, nothing else (no `.env`) is read.

    Raises:
        SettingsError: naming everything that is wrong at once.
    """
    if environ is None:
        dotenv = {key: value or "" for key, value in dotenv_values(ROOT / ".env").items()}
        environ = dotenv | dict(os.environ)
    values, problems = _read(environ)
    problems += _unknown_names(environ)
    if problems:
        raise SettingsError(problems)
    settings = Settings(**values)
    if problems := list(_contradictions(settings)):
        raise SettingsError(problems)
    if settings.redis_url is None:
        settings = _with_embedded_redis(settings)
    if settings.jobs_redis_url is None:
        settings = dataclasses.replace(settings, jobs_redis_url=settings.redis_url)
    return settings


def _read(environ: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Turn the texts that are present into values, and what can't be turned into problems."""
    present, problems = _texts(environ)
    env = _MappingEnv(present)
    values = {s.field: s.read(env, s.name) for s in SETTINGS if s.name in present}
    try:
        env.seal()
    except EnvValidationError as error:
        for name, messages in cast("Mapping[str, list[str]]", error.error_messages).items():
            problems += [f"{name}: {message.rstrip('.')}." for message in messages]
    return values, problems


def _texts(environ: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Pick our names; an empty value counts as unset, some may come from NAME_FILE."""
    present, problems = {}, []
    for setting in SETTINGS:
        if value := environ.get(setting.name, "").strip():
            present[setting.name] = value
        file_name = f"{setting.name}_FILE"
        if not setting.has_file or not (path := environ.get(file_name, "").strip()):
            continue
        if setting.name in present:
            problems.append(f"{setting.name} and {file_name} are both set; keep one of them.")
            continue
        try:
            present[setting.name] = Path(path).read_text().strip()
        except (OSError, ValueError) as error:  # not there, not ours, not text
            problems.append(f"{file_name}: {path} can't be read ({type(error).__name__}).")
    return present, problems


def _unknown_names(environ: Mapping[str, str]) -> Iterator[str]:
    known = {s.name for s in SETTINGS} | {f"{s.name}_FILE" for s in SETTINGS if s.has_file}
    for name in sorted(environ):
        if name.startswith("WAYSTATION_") and name not in known | _OF_CLIENTS:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else " See .env.example for the names."
            yield f"{name} is not a setting.{hint}"


def _contradictions(settings: Settings) -> Iterator[str]:
    """Name the values that are legal alone but not together."""
    for lower, upper in (
        ("message_ttl_seconds", "message_max_ttl_seconds"),
        ("retry_delay_seconds", "retry_max_delay_seconds"),
        ("lease_seconds", "lease_max_seconds"),
        ("stale_after_seconds", "offline_after_seconds"),
        ("max_body_bytes", "max_request_bytes"),
    ):
        low, high = getattr(settings, lower), getattr(settings, upper)
        if low > high:
            yield f"{_name(lower)} ({low:g}) is more than {_name(upper)} ({high:g})."
    if (settings.redis_url or "").startswith(_CLUSTER_SCHEME) and settings.jobs_redis_url is None:
        yield "REDIS_URL is a cluster, where RQ can't keep its jobs: set JOBS_REDIS_URL as well."
    if settings.auth == "off" and not declare.is_loopback(settings.api_host):
        yield (
            f"API_HOST={settings.api_host} can be reached from other machines, and a station"
            " refuses to run open there. Leave WAYSTATION_AUTH unset, so that callers need a token,"
            " or listen on 127.0.0.1."
        )
    if settings.jwt_jwks_url and settings.jwt_public_key:
        yield (
            "WAYSTATION_JWT_JWKS_URL and WAYSTATION_JWT_PUBLIC_KEY are both set; keep one of them."
        )
    if settings.jwt_issuer and not settings.takes_signed_tokens:
        yield (
            "WAYSTATION_JWT_ISSUER is set, but nothing that its tokens could be checked with: set"
            " WAYSTATION_JWT_JWKS_URL or WAYSTATION_JWT_PUBLIC_KEY."
        )


def _name(field: str) -> str:
    return next(s.name for s in SETTINGS if s.field == field)


def _with_embedded_redis(settings: Settings) -> Settings:
    """Fill in the address that the embedded Redis left, if it has been started before."""
    try:
        url = settings.embedded_redis_url_file.read_text().strip()
    except FileNotFoundError:
        url = None
    return dataclasses.replace(settings, redis_is_embedded=True, redis_url=url)


class _MappingEnv(Env):
    """An environs reader over a mapping, gathering every error rather than stopping at one."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        super().__init__(eager=False)
        self._texts = texts

    def _get_value(self, env_key: str, default: object) -> object:  # FileAwareEnv's hook too
        return self._texts.get(env_key, default)
