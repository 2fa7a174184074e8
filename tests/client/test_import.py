"""Importing the package, which a hook does at every prompt, loads little."""

import subprocess
import sys

import pytest

import waystation

pytestmark = pytest.mark.client


def test_every_public_name_is_found_where_the_table_says() -> None:
    names = [name for name in waystation.__all__ if name != "__version__"]

    found = {name: getattr(waystation, name).__name__ for name in names}

    assert found == {name: name for name in names}


def test_the_package_and_its_command_line_load_no_http_client() -> None:
    code = "import sys, waystation.cli; print('aiohttp' in sys.modules, 'rich' in sys.modules)"

    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout

    assert printed.split() == ["False", "False"]


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = waystation.Nothing  # type: ignore[attr-defined] # that is the point
