"""A real station, and clients that are not ours; the latter only with `--real-clients`."""

import os
from pathlib import Path

import pytest

from tests.client.conftest import bare_environment, named, station
from tests.mcp.npm import Desk, Packages, install

__all__ = ["bare_environment", "named", "station"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what installs hundreds of megabytes, unless it is asked for."""
    if config.getoption("--real-clients"):
        return
    left_out = [item for item in items if item.get_closest_marker("real_clients")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    """The programs of others, installed in WAYSTATION_TEST_NPM_DIR or for this run."""
    kept = os.environ.get("WAYSTATION_TEST_NPM_DIR")
    own = tmp_path_factory.getbasetemp()
    run = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    return install(Path(kept) if kept else run / "real-clients")


@pytest.fixture
def desk(packages: Packages, tmp_path: Path) -> Desk:
    """Where a program of others runs, with nothing of the user's."""
    home = tmp_path / "home"
    home.mkdir()
    return Desk(packages=packages, home=home)
