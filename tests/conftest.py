"""Fixtures of all tests: a real Redis for each xdist worker, a fresh namespace for each test."""

import dataclasses
import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import hypothesis
import pytest

from broker.wiring import Broker, build_broker
from config.settings import Settings, load_settings
from tests.process.stations import Station
from tests.process.stations import running as running_station
from tests.redis.servers import CHOICES, Server, binary_for, cluster_url, running, running_cluster

# Speed is a matter of the benchmark: on a busy machine any example may take long.
hypothesis.settings.register_profile("station", deadline=None)
hypothesis.settings.load_profile("station")

MakeSettings = Callable[..., Settings]
MakeBroker = Callable[..., Broker]


# A shell's background jobs, and some runners of CI, start with SIGINT ignored, and so would every
# program that the tests start, and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--redis",
        choices=CHOICES,
        default="embedded",
        help="the server to test on: the wheel's, the system's, or a cluster of three nodes",
    )
    parser.addoption(
        "--real-clients",
        action="store_true",
        help="also try clients of others, installed from npm: see CONTRIBUTING.md",
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class RedisUnderTest:
    """Where messages and jobs are kept; `nodes` are the processes that keep the messages."""

    url: str
    jobs_url: str
    nodes: list[Server]

    @property
    def is_cluster(self) -> bool:
        return len(self.nodes) > 1


@pytest.fixture(scope="session")
def redis_under_test(request: pytest.FixtureRequest) -> Iterator[RedisUnderTest]:
    """The Redis that `--redis` chose. Most tests do without the disk; durability has its own."""
    choice = request.config.getoption("--redis")
    binary = binary_for(choice)
    with ExitStack() as stack:
        server = stack.enter_context(running(binary))
        if choice == "cluster":
            nodes = stack.enter_context(running_cluster(binary))
            yield RedisUnderTest(url=cluster_url(nodes), jobs_url=server.url, nodes=nodes)
        else:
            yield RedisUnderTest(url=server.url, jobs_url=server.url, nodes=[server])


@pytest.fixture(scope="session")
def redis_url(redis_under_test: RedisUnderTest) -> str:
    """Where messages are kept."""
    return redis_under_test.url


@pytest.fixture(scope="session")
def jobs_redis_url(redis_under_test: RedisUnderTest) -> str:
    """Where RQ keeps its jobs: always a single server."""
    return redis_under_test.jobs_url


@pytest.fixture
def namespace() -> str:
    """A namespace that no other test has."""
    return f"test-{secrets.token_hex(6)}"


@pytest.fixture
def settings(redis_url: str, jobs_redis_url: str, namespace: str) -> MakeSettings:
    """Make settings of this test's namespace; what is given replaces the defaults, unchecked."""
    loaded = load_settings(
        {
            "REDIS_URL": redis_url,
            "JOBS_REDIS_URL": jobs_redis_url,
            "WAYSTATION_NAMESPACE": namespace,
            "WAYSTATION_PARTITIONS": "4",
        }
    )

    def make(**replaced: object) -> Settings:
        return dataclasses.replace(loaded, **replaced)  # type: ignore[arg-type] # a test knows

    return make


@pytest.fixture
def make_broker(settings: MakeSettings) -> Iterator[MakeBroker]:
    """Build prepared brokers; several of one test share its namespace."""
    with ExitStack() as stack:

        def make(**replaced: object) -> Broker:
            built = build_broker(settings(**replaced))
            stack.callback(built.redis.client.close)
            stack.callback(built.jobs.client.close)
            built.prepare()
            return built

        yield make


@pytest.fixture
def broker(make_broker: MakeBroker) -> Broker:
    """A prepared broker with the default limits, on four partitions."""
    return make_broker()


# --- whole stations ------------------------------------------------------------------------------

ADMIN_TOKEN = "the-token-of-the-admin-of-the-tests"


@pytest.fixture(scope="session")
def whole_station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """A station with all its processes, which asks nobody for a token; nobody may stop it."""
    with running_station(
        tmp_path_factory.mktemp("station") / "data", WAYSTATION_WEBHOOK_ALLOW_PRIVATE="true"
    ) as station:
        yield station


@pytest.fixture(scope="session")
def guarded_station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """One that asks everybody for a token; its admin's is `ADMIN_TOKEN`."""
    with running_station(
        tmp_path_factory.mktemp("guarded") / "data",
        WAYSTATION_AUTH="required",
        WAYSTATION_ADMIN_TOKEN=ADMIN_TOKEN,
        WAYSTATION_REGISTRATION="invitation",
        WAYSTATION_WEBHOOK_ALLOW_PRIVATE="true",
    ) as station:
        yield station
