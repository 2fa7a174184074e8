"""Checks of the way to the station: proxies, names, connections, certificates."""

from __future__ import annotations

from typing import Final

from waystation.cli.diagnosis.finding import Finding, fine, warning, wrong
from waystation.cli.diagnosis.observed import Machine, Observed, Way

_ENDS_SOON_DAYS: Final = 14


def proxy(observed: Observed) -> Finding | None:
    """Whether the environment sends calls through a proxy, and to this very machine at that."""
    way = observed.way
    if way is None or way.proxy is None:
        return None
    if way.is_local:
        return wrong(
            "proxy",
            f"Calls to {way.host} on this machine go through the proxy {way.proxy}, which means"
            " another machine by that name",
            f'export NO_PROXY="$NO_PROXY,localhost,127.0.0.1,{way.host}"',
        )
    return fine("proxy", f"calls go through {way.proxy}")


def address(observed: Observed) -> Finding | None:
    """Whether the host's name means an address."""
    way = observed.way
    if way is None or way.proxy is not None:
        return None
    if way.resolve_error is not None:
        return wrong(
            "address",
            f"{way.host} is not a name that this machine knows: {way.resolve_error}",
            "Correct the URL: --url, WAYSTATION_URL, or `waystation profiles add`.",
        )
    return fine("address", f"{way.host} is {', '.join(way.addresses)}")


def connection(observed: Observed) -> Finding | None:
    """Whether anything listens there."""
    way = observed.way
    if way is None or way.proxy is not None or way.resolve_error is not None:
        return None
    if way.connect_error is not None:
        return wrong(
            "connection",
            f"Nothing listens at {way.host} port {way.port}: {way.connect_error}",
            _start(way, observed.machine),
        )
    return fine("connection", f"port {way.port} answers in {way.connect_ms or 0:.1f} ms")


def certificate(observed: Observed) -> Finding | None:
    """Whether TLS holds, and for how long."""
    way = observed.way
    if way is None or (way.tls_error is None and way.tls_ends_at is None):
        return None
    if way.tls_error is not None:
        return wrong(
            "certificate",
            f"TLS with {way.host} fails: {way.tls_error}",
            "Ask for http:// if no TLS stands before the station; for a certificate of your own"
            " set SSL_CERT_FILE to the file of its authority.",
        )
    if way.tls_ends_at is None:
        return None
    days = (way.tls_ends_at - observed.now).days
    if days < _ENDS_SOON_DAYS:
        return warning("certificate", f"The certificate ends in {days} days", "Renew it.")
    return fine("certificate", f"holds for {days} days")


def _start(way: Way, machine: Machine) -> str:
    if not way.is_local:
        return "Is the host up, is the port right, does a firewall stand between?"
    if machine.runs_here:
        return (
            f"A station runs from {machine.data_dir} at another port: its settings (API_PORT) say"
            " which; give it by --url or WAYSTATION_URL."
        )
    if machine.checkout is not None:
        return f"{machine.checkout / 'script' / 'server'}"
    return "Start one: script/server, in a checkout of Waystation."
