"""The configuration file as text: profiles are changed in it, comments and order are kept."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any, Final

import tomlkit
from tomlkit.exceptions import TOMLKitError

from waystation.configuration import DEFAULT_PROFILE
from waystation.connect import files
from waystation.errors import ConfigurationError

_OWN: Final = 0o600


class ProfileFile:
    """The profiles in a file; nothing is written before `save`."""

    def __init__(self, path: Path) -> None:
        """Read it; one that is not there has no profiles.

        Raises:
            ConfigurationError: it can't be read, or is no TOML.
        """
        self.path = path
        try:
            self._document = tomlkit.parse(path.read_text())
        except FileNotFoundError:
            self._document = tomlkit.document()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{path} can't be read: {error}.") from error
        except TOMLKitError as error:
            raise ConfigurationError(f"{path} is not TOML: {error}.") from error

    @property
    def chosen(self) -> str:
        """The profile that is used where none is named."""
        return str(self._document.get("profile", DEFAULT_PROFILE))

    @property
    def profiles(self) -> dict[str, dict[str, str]]:
        """Every profile, with what it says."""
        return {
            str(name): {str(key): str(value) for key, value in values.items()}
            for name, values in self._document.get("profiles", {}).items()
        }

    def put(self, name: str, values: Mapping[str, str | None]) -> None:
        """Add a profile, or change what is given of one; None takes a value out."""
        profiles = self._table(self._document, "profiles", is_super=True)
        profile = self._table(profiles, name)
        for key, value in values.items():
            if value is not None:
                profile[key] = value
            elif key in profile:
                del profile[key]

    def choose(self, name: str) -> None:
        """Use this profile where none is named."""
        if "profile" in self._document:
            self._document["profile"] = name
            return
        # Behind the first table it would be a value of that table.
        text = tomlkit.dumps(self._document)
        self._document = tomlkit.parse(f"profile = {tomlkit.item(name).as_string()}\n{text}")

    def remove(self, name: str) -> None:
        """Take a profile out, and its choice with it."""
        del self._document["profiles"][name]
        if self._document.get("profile") == name:
            del self._document["profile"]

    def save(self) -> None:
        """Write it, whole or not at all; a new one, or one with a token, for its owner's eyes only.

        Raises:
            FileError: it can't be written.
        """
        holds_token = any("token" in profile for profile in self.profiles.values())
        is_private = holds_token or not self.path.exists()
        files.replace(self.path, tomlkit.dumps(self._document), mode=_OWN if is_private else None)

    @staticmethod
    def _table(
        parent: MutableMapping[str, Any], name: str, *, is_super: bool = False
    ) -> MutableMapping[str, Any]:
        if name not in parent:
            parent[name] = tomlkit.table(is_super_table=is_super)
        table: MutableMapping[str, Any] = parent[name]
        return table


def keep_token(path: Path, token: str) -> None:
    """Put a token into a file of its own, for its owner's eyes only. Raises `FileError`."""
    files.replace(path, f"{token}\n", mode=_OWN)
