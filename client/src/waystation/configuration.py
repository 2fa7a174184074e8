"""Where the station is and who asks: arguments, else the environment, else a profile of the file.

The file is `~/.config/waystation/config.toml` (`WAYSTATION_CONFIG`, `XDG_CONFIG_HOME`):

    profile = "home"
    [profiles.home]
    url = "http://127.0.0.1:8080"
    agent = "alice"
    token_file = "~/.config/waystation/alice.key"
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from waystation.errors import ConfigurationError

DEFAULT_URL: Final = "http://127.0.0.1:8080"
DEFAULT_PROFILE: Final = "default"
_TOP: Final = frozenset({"profile", "profiles"})
_KEYS: Final = frozenset({"url", "agent", "token", "token_file"})


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Where the station is, and as whom it is asked."""

    url: str = DEFAULT_URL
    agent: str | None = None
    token: str | None = field(default=None, repr=False)
    profile: str = DEFAULT_PROFILE
    origins: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    """Where `url`, `agent` and `token` came from, for whoever looks for what is wrong."""
    token_path: Path | None = field(default=None, compare=False, repr=False)
    """The file that the token was read from, if any was."""


def config_path(environ: Mapping[str, str] | None = None) -> Path:
    """Where the configuration file is, or would be."""
    environ = os.environ if environ is None else environ
    if named := environ.get("WAYSTATION_CONFIG"):
        return Path(named).expanduser()
    base = environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "waystation" / "config.toml"


def configured(
    *,
    url: str | None = None,
    agent: str | None = None,
    token: str | None = None,
    token_file: str | None = None,
    profile: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Configuration:
    """What holds: an argument before the environment before the profile.

    A profile's token is for the station of the profile: to another it is not sent.

    Raises:
        ConfigurationError: the file is broken, the profile unknown, a token's file not readable,
            or the URL not one.
    """
    environ = os.environ if environ is None else environ
    name, chosen = _profile(profile or environ.get("WAYSTATION_PROFILE"), config_path(environ))
    path, of_profile = config_path(environ), f"profile {name}"
    found_url, url_origin = _first(
        ("an argument", url),
        ("WAYSTATION_URL", environ.get("WAYSTATION_URL")),
        (of_profile, chosen.get("url")),
        ("the default", DEFAULT_URL),
    )
    station = _checked(found_url or DEFAULT_URL)
    keys = chosen if station == _checked(chosen.get("url") or DEFAULT_URL) else {}
    found_agent, agent_origin = _first(
        ("an argument", agent),
        ("WAYSTATION_AGENT", environ.get("WAYSTATION_AGENT")),
        (of_profile, chosen.get("agent")),
    )
    found_token, token_origin, token_path = _first_token(
        ("an argument", token, token_file, None),
        ("WAYSTATION_TOKEN", environ.get("WAYSTATION_TOKEN"), None, None),
        ("WAYSTATION_TOKEN_FILE", None, environ.get("WAYSTATION_TOKEN_FILE"), None),
        (of_profile, keys.get("token"), keys.get("token_file"), path),
    )
    origins = {"url": url_origin, "agent": agent_origin, "token": token_origin}
    return Configuration(
        url=station,
        agent=found_agent,
        token=found_token,
        profile=name,
        origins={setting: origin for setting, origin in origins.items() if origin},
        token_path=token_path,
    )


def _first(*offers: tuple[str, str | None]) -> tuple[str | None, str | None]:
    """The first value that there is, and where it came from."""
    return next(((value, origin) for origin, value in offers if value), (None, None))


def _first_token(
    *offers: tuple[str, str | None, str | None, Path | None],
) -> tuple[str | None, str | None, Path | None]:
    """The first token, where it came from, and in which file it stands.

    An offer is where it comes from, the token or else a file with it, and the file where the token
    itself stands.
    """
    for origin, token, file, path in offers:
        if found := _token(token, file):
            return found, origin, path if token or file is None else Path(file).expanduser()
    return None, None, None


def _profile(name: str | None, path: Path) -> tuple[str, Mapping[str, str]]:
    """The profile of this name, or the one that the file calls for."""
    document = _document(path)
    _known(document, _TOP, f"{path}")
    profiles = _table(document.get("profiles", {}), f"{path}: profiles")
    called_for = document.get("profile", DEFAULT_PROFILE)
    if not isinstance(called_for, str):
        raise ConfigurationError(f"{path}: profile must be the name of one.")
    wanted = name or called_for
    if wanted not in profiles:
        if name is None and wanted == DEFAULT_PROFILE:
            return wanted, {}
        known = ", ".join(sorted(profiles)) or "none"
        raise ConfigurationError(
            f"{path} has no profile {wanted}{_near(wanted, profiles)}; it has: {known}."
        )
    chosen = _table(profiles[wanted], f"{path}: profile {wanted}")
    _known(chosen, _KEYS, f"{path}: profile {wanted}")
    for key, value in chosen.items():
        if not isinstance(value, str):
            raise ConfigurationError(f"{path}: {key} of profile {wanted} must be text.")
    return wanted, chosen


def _table(found: object, where: str) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise ConfigurationError(f"{where} must be a table.")
    return found


def _known(found: Iterable[str], known: Iterable[str], where: str) -> None:
    """Raises `ConfigurationError` for the first name that there is not."""
    for name in sorted(set(found) - set(known)):
        raise ConfigurationError(
            f"{where} has an unknown key {name}{_near(name, known)};"
            f" known are {', '.join(sorted(known))}."
        )


def _near(name: str, known: Iterable[str]) -> str:
    """A name that may have been meant."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _document(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} can't be read: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not TOML: {error}.") from error


def _token(token: str | None, file: str | None) -> str | None:
    where = "The token"
    if not token and file:
        where = f"The token in {file}"
        try:
            token = Path(file).expanduser().read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"The token's file {file} can't be read: {error}.") from error
        if not token:
            raise ConfigurationError(f"The token's file {file} is empty.")
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        raise ConfigurationError(f"{where} is none: it has spaces, or what can't stand in one.")
    return token or None


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise ConfigurationError(f"{url} is not a URL: {error}.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"{url} is not the URL of a station; such as {DEFAULT_URL} is.")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ConfigurationError(
            "The URL of a station has no user, password, query or fragment; give the token apart."
        )
    return url.rstrip("/").removesuffix("/api/v1")
