"""Which addresses the station connects to for others: public ones, unless it is allowed more.

Whoever names an endpoint chooses where the station sends requests from inside its own network
(server-side request forgery). The tables are those of IANA's special-purpose registries
(https://www.iana.org/assignments/iana-ipv4-special-registry, …-ipv6-…); the standard library's
`is_global` has changed with its patch releases, so they stand here.
"""

from __future__ import annotations

from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final


class Kind(StrEnum):
    """What an address that is not public is for."""

    LOOPBACK = "loopback"
    PRIVATE = "private"
    SHARED = "shared by a carrier's customers"
    LINK_LOCAL = "link-local"
    MULTICAST = "multicast"
    UNSPECIFIED = "unspecified"
    RESERVED = "reserved"
    TRANSITION = "a tunnel to another address"


INTERNAL: Final = frozenset({Kind.LOOPBACK, Kind.PRIVATE, Kind.SHARED})
"""What WAYSTATION_WEBHOOK_ALLOW_PRIVATE allows. Never link-local: clouds keep metadata there."""

_V4: Final = tuple(
    (IPv4Network(network), kind)
    for network, kind in (
        ("0.0.0.0/8", Kind.UNSPECIFIED),
        ("10.0.0.0/8", Kind.PRIVATE),
        ("100.64.0.0/10", Kind.SHARED),
        ("127.0.0.0/8", Kind.LOOPBACK),
        ("169.254.0.0/16", Kind.LINK_LOCAL),
        ("172.16.0.0/12", Kind.PRIVATE),
        ("192.0.0.0/24", Kind.RESERVED),
        ("192.0.2.0/24", Kind.RESERVED),
        ("192.88.99.0/24", Kind.TRANSITION),
        ("192.168.0.0/16", Kind.PRIVATE),
        ("198.18.0.0/15", Kind.RESERVED),
        ("198.51.100.0/24", Kind.RESERVED),
        ("203.0.113.0/24", Kind.RESERVED),
        ("224.0.0.0/4", Kind.MULTICAST),
        ("240.0.0.0/4", Kind.RESERVED),
    )
)
_V6: Final = tuple(
    (IPv6Network(network), kind)
    for network, kind in (
        ("::/128", Kind.UNSPECIFIED),
        ("::1/128", Kind.LOOPBACK),
        ("2001::/32", Kind.TRANSITION),  # Teredo
        ("2001::/23", Kind.RESERVED),
        ("2001:db8::/32", Kind.RESERVED),
        ("2002::/16", Kind.TRANSITION),  # 6to4
        ("3fff::/20", Kind.RESERVED),
        ("fd00:ec2::/32", Kind.LINK_LOCAL),  # metadata of Amazon's machines, in a private range
        ("fc00::/7", Kind.PRIVATE),
        ("fe80::/10", Kind.LINK_LOCAL),
        ("ff00::/8", Kind.MULTICAST),
    )
)
_PUBLIC_V6: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")


def refusal(address: str, *, allow_private: bool) -> str | None:
    """Why the station does not connect to this address; None if it does."""
    try:
        kind = kind_of(ip_address(address))
    except ValueError:
        return f"{address} is no address"
    if kind is None or (allow_private and kind in INTERNAL):
        return None
    return f"{address} is {kind}"


def kind_of(address: IPv4Address | IPv6Address) -> Kind | None:
    """What an address is for that is not public, judged by the one it stands for; else None."""
    if isinstance(address, IPv4Address):
        return next((kind for network, kind in _V4 if address in network), None)
    if address.scope_id is not None:
        return Kind.LINK_LOCAL
    if address.ipv4_mapped is not None:
        return kind_of(address.ipv4_mapped)
    if address in _NAT64:
        return kind_of(IPv4Address(int(address) & 0xFFFF_FFFF))
    known = next((kind for network, kind in _V6 if address in network), None)
    if known is None and address not in _PUBLIC_V6:
        return Kind.RESERVED
    return known
