"""What a connection carries of the settings that hold where it is made."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from waystation.configuration import config_path


def program() -> tuple[str, ...]:
    """The absolute start of our command line, for programs that know no PATH and no environment.

    Beside the interpreter lies the script of an installation. `-P` keeps Python from importing out
    of the directory in which a client runs us: that may be anybody's repository.
    """
    script = Path(sys.executable).parent / "waystation"
    if os.access(script, os.X_OK):
        return (str(script),)
    return sys.executable, "-P", "-m", "waystation"


def settings(
    environ: Mapping[str, str], *, url: str | None, profile: str | None, token_file: str | None
) -> dict[str, str]:
    """The `WAYSTATION_*` that server and hooks need, since clients hand on few variables."""
    held: dict[str, str] = {}
    if found := url or environ.get("WAYSTATION_URL"):
        held["WAYSTATION_URL"] = found
    if found := profile or environ.get("WAYSTATION_PROFILE"):
        held["WAYSTATION_PROFILE"] = found
    if found := token_file or environ.get("WAYSTATION_TOKEN_FILE"):
        held["WAYSTATION_TOKEN_FILE"] = str(Path(found).expanduser().absolute())
    if environ.get("WAYSTATION_CONFIG") or environ.get("XDG_CONFIG_HOME"):
        held["WAYSTATION_CONFIG"] = str(config_path(environ).absolute())
    return held
