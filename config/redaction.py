"""Hides secrets in text that people and machines will keep: log lines, errors (SPEC Z4)."""

import re

HIDDEN = "***"

_URL_PASSWORD = re.compile(
    r"(?P<before>\b[a-z][a-z0-9+.-]*://[^\s/@:]*:)[^\s/@]+(?=@)", re.IGNORECASE
)
# The station's own tokens, of which the part before the secret tells which one it was; what signs
# webhooks; and JWTs.
_TOKEN = re.compile(
    r"(?P<before>ws[ki]_[0-9A-HJKMNP-TV-Z]{26}_)[\w-]+|(?P<webhook>whsec_)[\w+/=-]+"
    r"|(?P<signed>eyJ)[\w-]+\.[\w-]+\.[\w-]*",
    re.ASCII,
)


def without_secrets(text: str) -> str:
    """Return the text with passwords in URLs and tokens hidden, wherever they stand."""
    if "://" in text:  # seldom, and the pattern is slow where it is not
        text = _URL_PASSWORD.sub(rf"\g<before>{HIDDEN}", text)
    return _TOKEN.sub(lambda found: f"{found[found.lastgroup or 0]}{HIDDEN}", text)
