"""Where webhooks are posted, and where never: addresses, redirects, time, size and TLS."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from broker.delivery.client import WebhookClient
from broker.delivery.dialler import AddressBook, Resolve, resolve
from broker.delivery.endpoint import endpoint_of
from broker.delivery.verdict import Answer, Answered, Outcome, Unreached, judge
from tests.receivers import Receiver, Reply, receiving

pytestmark = pytest.mark.contract

Names = dict[str, list[str]]


def names(known: Names) -> Resolve:
    """A resolver of names that a test makes up."""
    return lambda host, _: known[host]


def post(
    url: str,
    *,
    allow_private: bool = False,
    resolver: Resolve = resolve,
    tls: ssl.SSLContext | None = None,
    timeout_ms: int = 5_000,
) -> Answer:
    book = AddressBook(allow_private=allow_private, resolve=resolver)
    with WebhookClient(book, tls=tls).connected(endpoint_of(url, allow_private=True)) as line:
        return line.post(b"{}", {"content-type": "application/json"}, timeout_ms=timeout_ms)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::127.0.0.1]",
        "[::]",
    ],
)
def test_no_name_of_this_machine_is_connected_to(receiver: Receiver, host: str) -> None:
    answer = post(f"http://{host}:{receiver.port}/hook")

    assert isinstance(answer, Unreached)
    assert answer.is_refused
    assert judge(answer).outcome is Outcome.REFUSED
    assert receiver.connections == 0


@pytest.mark.parametrize("address", ["169.254.169.254", "10.0.0.1", "fe80::1%lo", "fd00:ec2::254"])
def test_a_name_that_stands_for_an_inner_address_is_refused(address: str) -> None:
    answer = post("http://hook.example/", resolver=names({"hook.example": [address]}))

    assert isinstance(answer, Unreached)
    assert answer.is_refused
    assert answer.reason.startswith(
        f"hook.example is not connected to: it stands for {address} is "
    )


def test_one_inner_address_among_public_ones_refuses_the_name(receiver: Receiver) -> None:
    known = {"hook.example": ["93.184.216.34", "127.0.0.1"]}

    answer = post(f"http://hook.example:{receiver.port}/", resolver=names(known))

    assert isinstance(answer, Unreached)
    assert answer.is_refused
    assert receiver.connections == 0


def test_a_name_is_looked_up_once_a_connection_and_what_was_checked_is_connected_to(
    receiver: Receiver,
) -> None:
    answers = [["127.0.0.1"], ["169.254.169.254"]]
    asked: list[str] = []

    def changing(host: str, _: int) -> list[str]:
        asked.append(host)
        return answers[len(asked) - 1]

    book = AddressBook(allow_private=True, resolve=changing)
    endpoint = endpoint_of(f"http://hook.example:{receiver.port}/", allow_private=True)
    with WebhookClient(book).connected(endpoint) as line:
        first = [line.post(b"{}", {}, timeout_ms=5_000) for _ in range(3)]
    with WebhookClient(book).connected(endpoint) as line:
        rebound = line.post(b"{}", {}, timeout_ms=5_000)

    assert [judge(answer).outcome for answer in first] == [Outcome.DELIVERED] * 3
    assert receiver.requests[0].headers["host"] == f"hook.example:{receiver.port}"
    assert receiver.connections == 1
    assert asked == ["hook.example"] * 2
    assert isinstance(rebound, Unreached)
    assert rebound.is_refused


def test_a_metadata_service_is_refused_though_private_addresses_are_allowed() -> None:
    answer = post("http://169.254.169.254/latest/meta-data", allow_private=True)

    assert isinstance(answer, Unreached)
    assert answer.is_refused


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(receiver: Receiver, status: int) -> None:
    with receiving() as inner:
        receiver.answers(status, Location=inner.url)

        answer = post(receiver.url, allow_private=True)

        assert inner.requests == []
    verdict = judge(answer)
    assert verdict.outcome is Outcome.FAILED
    assert "redirects are not followed" in verdict.reason
    assert len(receiver.requests) == 1


def test_proxies_of_the_environment_are_not_used(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")

        answer = post(receiver.url, allow_private=True)

        assert proxy.connections == 0
    assert isinstance(answer, Answered)
    assert len(receiver.requests) == 1


def test_an_answer_that_never_comes_is_given_up(receiver: Receiver) -> None:
    goes_on = threading.Event()
    receiver.behaviour = lambda _: Reply(status=204 if goes_on.wait(10) else 500)

    answer = post(receiver.url, allow_private=True, timeout_ms=300)

    assert answer == Unreached(reason="no complete answer within 0.3 seconds")
    goes_on.set()


@contextmanager
def speaking(say: Callable[[socket.socket], None]) -> Iterator[str]:
    """Give the URL of a server that speaks in its own way to each who connects."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def serve() -> None:
            while True:
                try:
                    line, _ = listening.accept()
                except OSError:
                    return
                with closing(line):
                    try:
                        line.recv(65_536)
                        say(line)
                    except OSError:
                        continue

        serving = threading.Thread(target=serve)
        serving.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        listening.shutdown(socket.SHUT_RDWR)
    serving.join()


def drip(line: socket.socket, text: bytes) -> None:
    """Send it a byte at a time, never silent for long and never done."""
    for byte in text * 1000:
        line.sendall(bytes([byte]))
        threading.Event().wait(0.05)


@pytest.mark.parametrize(
    "beginning", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"], ids=["head", "body"]
)
def test_an_answer_that_drips_is_cut_off_in_time(beginning: bytes) -> None:
    def say(line: socket.socket) -> None:
        line.sendall(beginning)
        drip(line, b"HTTP/1.1 200 OK\r\nX: ")

    with speaking(say) as url:
        began = time.monotonic()
        answer = post(url, allow_private=True, timeout_ms=500)

    assert answer == Unreached(reason="no complete answer within 0.5 seconds")
    assert time.monotonic() - began < 5


def test_no_more_of_an_answer_is_read_than_bounded() -> None:
    sent = 0

    def say(line: socket.socket) -> None:
        nonlocal sent
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            line.sendall(b"x" * 65_536)
            sent += 65_536

    with speaking(say) as url:
        answer = post(url, allow_private=True)

    assert isinstance(answer, Answered)
    assert answer.status == 200
    assert len(answer.excerpt) == 200
    assert sent < 50_000_000


@pytest.mark.parametrize(
    "garbage", [b"", b"\x00\x01\x02", b"HTTP/1.1 abc\r\n\r\n", b"SSH-2.0-x\r\n"]
)
def test_what_is_no_answer_is_a_failure(garbage: bytes) -> None:
    with speaking(lambda line: line.sendall(garbage)) as url:
        answer = post(url, allow_private=True)

    assert isinstance(answer, Unreached)
    assert not answer.is_refused


def test_a_connection_that_the_endpoint_closed_meanwhile_is_opened_again() -> None:
    with (
        speaking(lambda line: line.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")) as url,
        WebhookClient(AddressBook(allow_private=True)).connected(
            endpoint_of(url, allow_private=True)
        ) as line,
    ):
        answers = [line.post(b"{}", {}, timeout_ms=5_000) for _ in range(5)]

    assert [judge(answer).outcome for answer in answers] == [Outcome.DELIVERED] * 5


def test_nobody_listens() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as unused:
        port = unused.getsockname()[1]

    assert post(f"http://127.0.0.1:{port}/", allow_private=True) == Unreached(
        reason="the connection was refused"
    )


def test_a_name_that_does_not_exist() -> None:
    def unknown(host: str, _: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, host)

    assert post("http://hook.example/", resolver=unknown) == Unreached(
        reason="hook.example can't be resolved"
    )


# --- TLS ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for hook.example that nobody but its holder vouches for, and its key."""
    directory = tmp_path_factory.mktemp("tls")
    cert, key = directory / "cert.pem", directory / "key.pem"
    subject = ("-subj", "/CN=hook.example", "-addext", "subjectAltName=DNS:hook.example")
    command = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2")
    subprocess.run(
        [*command, *subject, "-keyout", key, "-out", cert], check=True, capture_output=True
    )
    return cert, key


@pytest.fixture
def encrypted(certificate: tuple[Path, Path]) -> Iterator[Receiver]:
    """An endpoint behind TLS, of that certificate."""
    with ExitStack() as stack:
        receiver = stack.enter_context(receiving())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server = receiver._server
        server.socket = context.wrap_socket(server.socket, server_side=True)
        yield receiver


def test_tls_is_verified_by_the_name_though_the_address_was_chosen(
    encrypted: Receiver, certificate: tuple[Path, Path]
) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    resolver = names({"hook.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]})

    right = post(
        f"https://hook.example:{encrypted.port}/",
        allow_private=True,
        resolver=resolver,
        tls=trusting,
    )
    wrong = post(
        f"https://other.example:{encrypted.port}/",
        allow_private=True,
        resolver=resolver,
        tls=trusting,
    )

    assert judge(right).outcome is Outcome.DELIVERED
    assert isinstance(wrong, Unreached)
    assert "certificate is not trusted" in wrong.reason
    assert len(encrypted.requests) == 1


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(encrypted: Receiver) -> None:
    answer = post(
        f"https://hook.example:{encrypted.port}/",
        allow_private=True,
        resolver=names({"hook.example": ["127.0.0.1"]}),
    )

    assert isinstance(answer, Unreached)
    assert "certificate is not trusted" in answer.reason
    assert encrypted.requests == []
