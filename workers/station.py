"""The broker of this worker process: built once, by whichever job or entry point asks first."""

from functools import cache

from broker.wiring import Broker, build_broker
from config.settings import load_settings


@cache
def broker() -> Broker:
    """This process's broker; it connects when it is first used, and again after a fork."""
    return build_broker(load_settings())
