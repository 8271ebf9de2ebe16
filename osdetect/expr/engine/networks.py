"""Many networks asked about one address, which is read once."""

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from socket import AF_INET, inet_pton

from osdetect.expr.nodes import Cidr


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
