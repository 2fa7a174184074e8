"""Where the station is and who asks: arguments, else the environment, else a profile of the file.

The file is `~/.config/waystation/config.toml` (`WAYSTATION_CONFIG`, `XDG_CONFIG_HOME`):

    profile = "home"
    [profiles.home]
    url = "http://127.0.0.1:8080"
    agent = "alice"
    token_file = "~/.config/waystation/alice.key"
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from waystation.errors import ConfigurationError

DEFAULT_URL: Final = "http://127.0.0.1:8080"
DEFAULT_PROFILE: Final = "default"
_KEYS: Final = frozenset({"url", "agent", "token", "token_file"})


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Where the station is, and as whom it is asked."""

    url: str = DEFAULT_URL
    agent: str | None = None
    token: str | None = field(default=None, repr=False)
    profile: str = DEFAULT_PROFILE


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

    Raises:
        ConfigurationError: the file is broken, the profile unknown, a token's file not readable,
            or the URL not one.
    """
    environ = os.environ if environ is None else environ
    name, chosen = _profile(profile or environ.get("WAYSTATION_PROFILE"), config_path(environ))
    found_url = url or environ.get("WAYSTATION_URL") or chosen.get("url") or DEFAULT_URL
    found_token = (
        _token(token, token_file)
        or _token(environ.get("WAYSTATION_TOKEN"), environ.get("WAYSTATION_TOKEN_FILE"))
        or _token(chosen.get("token"), chosen.get("token_file"))
    )
    return Configuration(
        url=_checked(found_url),
        agent=agent or environ.get("WAYSTATION_AGENT") or chosen.get("agent"),
        token=found_token,
        profile=name,
    )


def _profile(name: str | None, path: Path) -> tuple[str, Mapping[str, str]]:
    """The profile of this name, or the one that the file calls for."""
    document = _document(path)
    profiles = document.get("profiles", {})
    wanted = name or document.get("profile") or DEFAULT_PROFILE
    chosen = profiles.get(wanted)
    if chosen is None:
        if name is None and wanted == DEFAULT_PROFILE:
            return wanted, {}
        known = ", ".join(sorted(profiles)) or "none"
        raise ConfigurationError(f"{path} has no profile {wanted}; it has: {known}.")
    if unknown := sorted(set(chosen) - _KEYS):
        raise ConfigurationError(
            f"{path}: profile {wanted} has unknown keys {', '.join(unknown)};"
            f" known are {', '.join(sorted(_KEYS))}."
        )
    for key, value in chosen.items():
        if not isinstance(value, str):
            raise ConfigurationError(f"{path}: {key} of profile {wanted} must be text.")
    return wanted, chosen


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
    if token or not file:
        return token or None
    try:
        return Path(file).expanduser().read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The token's file {file} can't be read: {error}.") from error


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ConfigurationError(f"{url} is not the URL of a station; such as {DEFAULT_URL} is.")
    return url.rstrip("/").removesuffix("/api/v1")
