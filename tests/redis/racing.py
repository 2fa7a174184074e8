"""Concurrent callers that start at the same moment."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from broker.kernel.errors import BrokerError


def race(*calls: Callable[[], Any]) -> list[Any]:
    """Start all calls at the same moment; what each came to or was refused by, in order."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> object:
        start.wait(10)
        try:
            return call()
        except BrokerError as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def succeeded(results: list[Any]) -> list[Any]:
    return [result for result in results if not isinstance(result, BrokerError)]
