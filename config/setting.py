"""One setting: its name in the environment, what it means, and how its text is read."""

import dataclasses
import ipaddress
import math
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from environs import Env, ValidationError

TEN_YEARS_SECONDS = 315_360_000
"""Longer than anything here may last: past it, a number is a mistake in its unit."""

_TOKEN_LEAST = 32
_TOKEN_LEAST_DIFFERENT = 8  # random hexadecimal of that length has fewer once in 10**7 times
_RSA_LEAST_BITS = 2048  # NIST SP 800-131A

_PREFIX = "WAYSTATION_"
_RATE = re.compile(r"[1-9][0-9]{0,6}/(?:[1-9][0-9]{0,3} )?(?:second|minute|hour|day)s?")
_METADATA_KEY = "setting"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setting:
    """How one field of the settings stands in the environment."""

    field: str
    name: str
    default: object
    about: str
    legal: str
    has_file: bool
    """Whether its text may come from a file: secrets, and what has several lines."""
    read: Callable[[Env, str], object]


def settings_of(owner: type) -> tuple[Setting, ...]:
    """Return what the fields of a settings class say about themselves, in their order."""
    return tuple(
        Setting(
            field=field.name,
            name=field.metadata[_METADATA_KEY]["name"] or _PREFIX + field.name.upper(),
            default=field.default,
            about=field.metadata[_METADATA_KEY]["about"],
            legal=field.metadata[_METADATA_KEY]["legal"],
            has_file=field.metadata[_METADATA_KEY]["has_file"],
            read=field.metadata[_METADATA_KEY]["read"],
        )
        for field in dataclasses.fields(owner)
        if _METADATA_KEY in field.metadata
    )


# The functions below answer `Any` so that a field has its own type, as with `dataclasses.field`.


def seconds(
    default: float, about: str, *, least: float = 1, most: float = TEN_YEARS_SECONDS
) -> Any:
    """Declare a duration in seconds; fractions are legal, less than a second only where said."""
    legal = f"{least:g} to {most:.0f} seconds"

    def check(value: float) -> None:
        if not (math.isfinite(value) and least <= value <= most):
            raise ValidationError(f"must be {legal}")

    return _field(default, about, legal, lambda env, name: env.float(name, validate=check))


def count(default: int, about: str, *, least: int, most: int) -> Any:
    """Declare a whole number."""
    legal = f"{least} to {most}"

    def check(value: int) -> None:
        if not least <= value <= most:
            raise ValidationError(f"must be a whole number, {legal}")

    return _field(default, about, legal, lambda env, name: env.int(name, validate=check), name=None)


def flag(about: str) -> Any:
    """Declare something that is off unless it is turned on."""
    legal = "true or false"

    def check(value: str) -> None:
        if value.lower() not in {"true", "false"}:
            raise ValidationError(f"must be {legal}")

    def read(env: Env, name: str) -> bool:
        return (env.str(name, validate=check) or "").lower() == "true"

    return _field(False, about, legal, read)  # noqa: FBT003 - the default of a field


def choice(default: str | None, about: str, *, of: tuple[str, ...]) -> Any:
    """Declare one word out of a few."""
    legal = " or ".join(of)

    def check(value: str) -> None:
        if value not in of:
            raise ValidationError(f"must be {legal}")

    return _field(default, about, legal, lambda env, name: env.str(name, validate=check))


def text(default: str, about: str, *, pattern: str, legal: str, name: str | None = None) -> Any:
    """Declare a short text of a given form."""

    def check(value: str) -> None:
        if not re.fullmatch(pattern, value):
            raise ValidationError(f"must be {legal}")

    return _field(default, about, legal, lambda env, name: env.str(name, validate=check), name=name)


def line(about: str, *, default: str | None = None) -> Any:
    """Declare a line of text."""
    legal = "1 to 256 printable characters"

    def check(value: str) -> None:
        if len(value) > 256 or not value.isprintable():  # noqa: PLR2004 - as `legal` says
            raise ValidationError(f"must be {legal}")

    return _field(default, about, legal, lambda env, name: env.str(name, validate=check))


def rates(about: str) -> Any:
    """Declare how often something may be done; several rates hold together."""
    legal = "off, or rates like 200/second or 5000/10 minutes, with ; between them"

    def check(value: str) -> None:
        if value != "off" and not all(_RATE.fullmatch(part.strip()) for part in value.split(";")):
            raise ValidationError(f"must be {legal}")

    return _field(None, about, legal, lambda env, name: env.str(name, validate=check))


def port(default: int, about: str, *, name: str) -> Any:
    """Declare a TCP port."""
    legal = "1 to 65535"

    def check(value: int) -> None:
        if not 1 <= value <= 65535:  # noqa: PLR2004 - the range of a TCP port
            raise ValidationError(f"must be a port, {legal}")

    return _field(default, about, legal, lambda env, name: env.int(name, validate=check), name=name)


def directory(default: Path, about: str, *, relative_to: Path) -> Any:
    """Declare a directory; a relative one counts from `relative_to`, a leading ~ is the home."""
    legal = "a path"

    def absolute(path: Path) -> Path:
        return (relative_to / path.expanduser()).resolve()

    def check(path: Path) -> None:
        try:
            absolute(path)
        except (RuntimeError, ValueError) as error:  # no such user's home; a NUL in the name
            raise ValidationError(f"must be {legal}") from error

    def read(env: Env, name: str) -> Path | None:
        path = env.path(name, validate=check)
        return absolute(path) if path else None

    return _field(relative_to / default, about, legal, read)


def directories(about: str) -> Any:
    """Declare directories, with colons between them; none where nothing is said."""
    legal = "absolute paths with : between them"

    def paths(text: str) -> tuple[Path, ...]:
        return tuple(Path(part).expanduser() for part in text.split(os.pathsep) if part)

    def check(text: str) -> None:
        try:
            found = paths(text)
        except RuntimeError as error:  # no such user's home
            raise ValidationError(f"must be {legal}") from error
        for path in found:
            if "\0" in text or not path.is_absolute():
                raise ValidationError(f"must be {legal}")
            if not path.is_dir():
                raise ValidationError(f"{path} is no directory")

    def read(env: Env, name: str) -> tuple[Path, ...]:
        return paths(env.str(name, validate=check) or "")

    return _field(None, about, legal, read)


def redis_url(about: str, *, name: str, schemes: tuple[str, ...]) -> Any:
    """Declare the address of a Redis server; it may hold a password, so no repr shows it."""
    legal = "a URL that begins with " + ", ".join(f"{scheme}://" for scheme in schemes)

    def check(value: str) -> None:
        try:
            parts = urlsplit(value)
            complete = bool(parts.path if parts.scheme == "unix" else parts.hostname)
            for host in parts.netloc.rpartition("@")[2].split(","):  # Sentinels may be several
                _ = urlsplit(f"//{host}").port  # reading it is what checks it
        except ValueError:
            complete = False
        if not complete or parts.scheme not in schemes:
            raise ValidationError(f"must be {legal}")  # never the value: it may hold a password

    return _field(
        None, about, legal, lambda env, name: env.str(name, validate=check), name=name, secret=True
    )


def token(about: str) -> Any:
    """Declare a secret that lets its bearer in: long enough, and no word that one could guess."""
    legal = (
        f"at least {_TOKEN_LEAST} printable characters without spaces, made at random"
        " (openssl rand -base64 33)"
    )

    def check(value: str) -> None:
        plain = value.isascii() and value.isprintable() and " " not in value
        if not plain or len(value) < _TOKEN_LEAST or len(set(value)) < _TOKEN_LEAST_DIFFERENT:
            raise ValidationError(f"must be {legal}")  # never the value

    return _field(None, about, legal, lambda env, name: env.str(name, validate=check), secret=True)


def https_url(about: str) -> Any:
    """Declare an address of the web; http is for this machine, where nobody listens in between."""
    legal = "a URL that begins with https://, or http:// on loopback"

    def check(value: str) -> None:
        try:
            parts = urlsplit(value)
            host = parts.hostname or ""
        except ValueError:
            host = ""
        if not host or not (
            parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
        ):
            raise ValidationError(f"must be {legal}")

    return _field(None, about, legal, lambda env, name: env.str(name, validate=check))


def public_key(about: str) -> Any:
    """Declare a public key to check signatures with; its line ends may be written as in JSON."""
    legal = "a PEM public key: Ed25519, or RSA of at least 2048 bits"

    def text_of(value: str) -> str:
        return value.replace("\\n", "\n")

    def check(value: str) -> None:
        # Loading the library takes longer than all else here, and few stations have such a key.
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - see above
        from cryptography.hazmat.primitives.asymmetric import ed25519, rsa  # noqa: PLC0415
        from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

        try:
            key = load_pem_public_key(text_of(value).encode())
        except (ValueError, UnsupportedAlgorithm):
            key = None
        strong = isinstance(key, rsa.RSAPublicKey) and key.key_size >= _RSA_LEAST_BITS
        if not strong and not isinstance(key, ed25519.Ed25519PublicKey):
            raise ValidationError(f"must be {legal}")

    return _field(
        None,
        about,
        legal,
        lambda env, name: text_of(env.str(name, validate=check) or ""),
        has_file=True,
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches that host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _field(
    default: object,
    about: str,
    legal: str,
    read: Callable[[Env, str], object],
    *,
    name: str | None = None,
    secret: bool = False,
    has_file: bool = False,
) -> Any:
    metadata: Mapping[str, object] = {
        "name": name,
        "about": about,
        "legal": legal,
        "read": read,
        "has_file": secret or has_file,
    }
    return dataclasses.field(default=default, repr=not secret, metadata={_METADATA_KEY: metadata})
