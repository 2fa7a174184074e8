"""Prints `.env.example` from the settings: `python -m config.env_example > .env.example`."""

import sys
import textwrap
from pathlib import Path

from config.setting import Setting
from config.settings import ROOT, SETTINGS

_HEAD = """\
# Every setting of a station with its default. Copy to .env and change what you need, or set
# them in the environment, which wins. Generated: `python -m config.env_example > .env.example`.
"""


def render() -> str:
    """Return the text that `.env.example` should have."""
    return _HEAD + "".join(_entry(setting) for setting in SETTINGS)


def _entry(setting: Setting) -> str:
    about = f"{setting.about} Legal: {setting.legal}."
    if setting.has_file:
        about += f" Also by {setting.name}_FILE."
    lines = textwrap.wrap(about, width=98, initial_indent="# ", subsequent_indent="# ")
    return "\n".join(["", *lines, f"#{setting.name}={_text(setting.default)}"]) + "\n"


def _text(default: object) -> str:
    match default:
        case None:
            return ""
        case Path():
            return f"./{default.relative_to(ROOT)}"
        case bool():
            return str(default).lower()
        case float() | int():
            return f"{default:.12g}"
        case _:
            return str(default)


if __name__ == "__main__":
    sys.stdout.write(render())
