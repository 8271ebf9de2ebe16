"""Many networks asked about one address, which is read once."""

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network
from socket import AF_INET, inet_pton

from osdetect.expr.nodes import Cidr

_NUMBER = 8
"""Bits of each of the four numbers that an IPv4 address is written as,"""
_GROUP = 16
"""and of each of the eight groups of an IPv6 address."""
_MORE = 4
"""A network is split into this many bits more at most, to say more of how addresses begin in each part."""


def networks_of(tests: Sequence[tuple[int, Cidr]]) -> Callable[[str], Iterable[int]]:
    """The function that gives the places of those tests that hold for a text, as `predicate` decides them."""
    networks = [(place, ipaddress.ip_network(test.network, strict=False)) for place, test in tests]
    fours = [
        (place, int(network.network_address), int(network.netmask))
        for place, network in networks
        if network.version == 4
    ]

    def places(text: str) -> Iterable[int]:
        # The system reads the usual form of IPv4 at once; of every other form `ipaddress` has to judge.
        try:
            number = int.from_bytes(inet_pton(AF_INET, text), "big")
        except (OSError, ValueError):
            return _read(text)
        return [place for place, network, mask in fours if number & mask == network]

    def _read(text: str) -> Iterable[int]:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return ()
        return [place for place, network in networks if address in network]

    return places


def literals_of(test: Cidr) -> tuple[str, ...]:
    """Texts in lower case of which one stands in every address of the network, however that is written.

    Empty: there are no few such.

    >>> literals_of(Cidr("10.0.0.0/8")), literals_of(Cidr("192.0.2.128/25")), literals_of(Cidr("2001:db8::/32"))
    (('10.',), ('192.0.2.',), ('2001',))
    >>> literals_of(Cidr("fc00::/7")), literals_of(Cidr("0.0.0.0/0")), literals_of(Cidr("::1/128"))
    (('fc', 'fd'), (), ())
    """
    network = ipaddress.ip_network(test.network, strict=False)
    if isinstance(network, IPv4Network):
        return tuple(map(_numbers, _parts(network, _NUMBER)))
    groups = network.prefixlen >= _GROUP - _MORE
    found = [_group(part, groups=groups) for part in _parts(network, _GROUP if groups else _NUMBER)]
    return tuple(dict.fromkeys(found)) if all(found) else ()


def _parts(network: IPv4Network | IPv6Network, unit: int) -> Iterable[IPv4Network | IPv6Network]:
    """Networks that hold this one together, each of so many whole units."""
    within, more = network.prefixlen // unit * unit, -network.prefixlen % unit
    if network.prefixlen and more <= _MORE:
        return network.subnets(more)
    return (network.supernet(new_prefix=within),) if within else ()


def _numbers(network: IPv4Network | IPv6Network) -> str:
    """The numbers that every address begins with."""
    numbers = str(network.network_address).split(".")
    begin = numbers[: network.prefixlen // _NUMBER]
    return ".".join(begin) + ("." if begin != numbers else "")


def _group(network: IPv4Network | IPv6Network, *, groups: bool) -> str:
    """The first group, or the half of it, in every address; empty where it may be written in another way."""
    group = int(network.network_address) >> 112
    if groups:
        return f"{group:x}" if group else ""  # zeros may stand before it, or `::` for it
    return f"{group >> 8:x}" if group >> 12 else ""  # less than four digits do not end where the half does
