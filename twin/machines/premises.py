"""A customer's premises: a gateway node with a LAN behind it, and Amazon's end of its VPN.

The node stands behind one-to-one address translation, as a gateway in a customer's DMZ does; LAN, internet
and the VPC behind Amazon's end are namespaces of their own, so that every packet between them can be seen.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import settings
from twin.ledger import Ledger
from twin.machines import fleet, image, namespaces, scratch, sketch
from twin.machines.facts import Permission
from twin.machines.tunnel_peer import Peer
from twin.machines.wires import LEFT, OUTSIDE, RIGHT, ROUTING
from twin.sweeping import holding

LAN = "lan0"
"""The gateway node's interface to the LAN."""


class Premises(scratch.Lone):
    """A lone node as the gateway of `site`, and the peer that stands for Amazon.

    `described` is one item of DescribeVpnConnections, `customer` the address of its customer gateway.
    """

    def __init__(
        self, machines: fleet.Machines, described: Mapping[str, Any], customer: str, ends: tuple[str, str]
    ) -> None:
        super().__init__(machines)
        self.described, self.customer = described, customer
        self.machine, self.server = ends
        # Userland ESP gives its routes a source of its own, so both gateways stand in their network.
        self.gateway, self.router = (str(ip_address(end) + 1) for end in ends)
        prefix = machines.ledger.prefix
        self.lan, self.amazon, self.vpc = f"{prefix}-lan", f"{prefix}-amazon", f"{prefix}-vpc"
        self.internet = machines.wires.internet
        self._wire()
        root = machines.nodes[scratch.NODE].plan.image
        self.peer = Peer(machines.ledger, self.amazon, root)

    @property
    def outsides(self) -> list[str]:
        """The outside addresses of the tunnels, in the account's order."""
        return [tunnel["OutsideIpAddress"] for tunnel in self.described["Options"]["TunnelOptions"]]

    def cut(self, outside: str) -> None:
        """Take a tunnel's path away, both ways and without a word: packets vanish on the internet."""
        namespaces.batch(self.internet, [f"route replace blackhole {outside}/32"])
        namespaces.batch(self.amazon, [f"rule add pref 10 from {outside} blackhole"])

    def mend(self, outside: str) -> None:
        """Give the path back."""
        namespaces.batch(self.internet, [self._towards(outside)])
        namespaces.batch(self.amazon, [f"rule del pref 10 from {outside}"])

    def ping(self, seconds: int = 1, pattern: str = "53746f636b616465") -> bool:
        """Whether the VPC's server answers the LAN's machine; `pattern` (hexadecimal) fills the packets."""
        command = ["ip", "netns", "exec", self.lan, "ping", "-c1", f"-W{seconds}", f"-p{pattern}"]
        done = namespaces.run([*command, "-I", self.machine, self.server], lenient=True)
        return " 0% packet loss" in done

    def _towards(self, outside: str) -> str:
        return f"route replace {outside}/32 via inet6 {RIGHT} dev amazon src {OUTSIDE}"

    def _wire(self) -> None:
        ledger, wires = self.machines.ledger, self.machines.wires
        for name, sysctls in ((self.lan, {}), (self.amazon, ROUTING), (self.vpc, {})):
            namespaces.make(ledger, name, sysctls)
        node = wires.node(scratch.NODE)
        self._link((self.internet, "amazon"), (self.amazon, "wan"))
        self._link((self.amazon, "vpc"), (self.vpc, "eth0"))
        self._link((node, LAN), (self.lan, "eth0"))
        namespaces.batch(self.internet, [self._towards(outside) for outside in self.outsides])
        wan = [f"addr add {outside}/32 dev lo" for outside in self.outsides]
        wan += [f"route replace {self.customer}/32 via inet6 {LEFT} dev wan src {self.outsides[0]}"]
        wan += [
            f"route replace {self.server}/32 via inet6 {RIGHT} dev vpc",
            f"addr add {self.router}/32 dev lo",
        ]
        namespaces.batch(self.amazon, wan)
        namespaces.batch(
            self.vpc,
            [
                f"addr add {self.server}/32 dev lo",
                f"route add 0.0.0.0/0 via inet6 {LEFT} dev eth0 src {self.server}",
            ],
        )
        namespaces.batch(
            self.lan,
            [
                f"addr add {self.machine}/32 dev lo",
                f"route add 0.0.0.0/0 via inet6 {LEFT} dev eth0 src {self.machine}",
            ],
        )
        inner = [f"route replace {self.machine}/32 via inet6 {RIGHT} dev {LAN}"]
        namespaces.batch(node, [*inner, f"addr add {self.gateway}/32 dev {LAN}"])

    def _link(self, left: tuple[str, str], right: tuple[str, str]) -> None:
        add = f"link add {left[1]} netns {left[0]} type veth peer name {right[1]} netns {right[0]}"
        namespaces.run(["ip", *add.split()])
        for (namespace, name), address in ((left, LEFT), (right, RIGHT)):
            namespaces.batch(
                namespace, [f"addr replace {address}/64 dev {name} nodad", f"link set {name} up"]
            )


@contextmanager
def premises(name: str, described: Mapping[str, Any], customer: str, server: str) -> Iterator[Premises]:
    """The premises of one connection for the body of a `with`. `server` is an address in the VPC."""
    ranges = [route["DestinationCidrBlock"] for route in described["Routes"]]
    machine = str(ip_network(ranges[0])[5])
    with scratch.passing(name) as home:
        region = _region(customer)
        outsides = tuple(f"{t['OutsideIpAddress']}/32" for t in described["Options"]["TunnelOptions"])
        yield Premises(_gateway(region, outsides, home), described, customer, (machine, server))


def _region(customer: str) -> dict[str, Any]:
    region = sketch.region(settings.parse(copy.deepcopy(scratch.SETTINGS)), "lone")
    region["nodes"][0]["public_address"] = customer
    return region


def _gateway(region: Mapping[str, Any], outsides: tuple[str, ...], home: Path) -> fleet.Machines:
    """The gateway node; the customer's own border firewall lets IKE and its ESP in UDP pass, nothing else."""
    ledger = Ledger(home)
    with holding(ledger.home):
        account = sketch.account(region)
        passing = tuple(Permission("udp", port, port, outsides) for port in (500, 4500))
        groups = {
            key: replace(group, inbound=group.inbound + passing, outbound=group.outbound + passing)
            for key, group in account.groups.items()
        }
        machines = fleet.Machines(ledger, region, replace(account, groups=groups), image.build(ledger))
        machines.raise_up(lambda _node, _state: None)
    return machines
