"""What the emulated account allows, and nothing else, gets through: real packets between real nodes."""

from __future__ import annotations

import logging
import shlex
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

import settings
from network.intent import from_data
from network.reachability import Reach, reachability
from tests.conftest import require_nodes
from tests.e2e import moto_region
from tests.e2e.small_region import THREE_NODES
from twin import machines
from twin.machines import Machines, namespaces
from twin.machines.wires import OUTSIDE, vpc_interface

HOME = ("edge-a-1", "app-a-1", "archive-a-1")


@dataclass
class Place:
    """The region, its account, and its nodes."""

    region: dict[str, Any]
    ec2: Any
    endpoint: str
    nodes: Machines

    def again(self) -> None:
        """What `up` does when the account has changed."""
        self.nodes = machines.up(self.region, endpoint=self.endpoint, home=self.nodes.home)

    def address(self, node: str) -> str:
        return str(self.facts(node)["address"])

    def facts(self, node: str) -> dict[str, Any]:
        return next(n for n in self.region["nodes"] if n["name"] == node)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    require_nodes()
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line per request hides what failed
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        endpoint = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
        wanted = settings.parse(THREE_NODES)
        ec2 = moto_region.client(endpoint, str(wanted.region))
        region = moto_region.create(ec2, wanted)
        with machines.passing("packets") as home:
            yield Place(region, ec2, endpoint, machines.up(region, endpoint=endpoint, home=home))
    finally:
        server.stop()


def target(place: Place, source: str, node: dict[str, Any]) -> str:
    """From the internet a node has its public address, if any; from anywhere else its private one."""
    outside = source == "internet" or source.startswith("source/")
    return str((outside and node.get("public_address")) or node["address"])


def test_every_row_of_the_reachability_matrix_is_true_on_the_wire(place: Place) -> None:
    rows = reachability(from_data(place.region["intent"]), place.region["nodes"])
    assert {row.allowed for row in rows} == {True, False}
    listen_everywhere(place, {row.port for row in rows if row.protocol == "tcp"})
    cases = [
        (row, source, node)
        for row in rows
        for node in place.region["nodes"]
        if node["role"] == row.target_role
        for source in sources(place, row, node["name"])
    ]
    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda case: reaches(place, *case), cases))
    wrong = [
        f"{source} to {node['name']} {row.protocol}/{row.port}: {got}, intended {row.allowed} ({row.why})"
        for (row, source, node), got in zip(cases, seen, strict=True)
        if got != row.allowed
    ]
    assert not wrong
    assert len(cases) >= 40


LISTEN = """
import socket, sys, time
held = []
for port in map(int, sys.argv[1:]):
    try:
        held.append(socket.create_server(("0.0.0.0", port)))
    except OSError:
        pass  # the application has it
time.sleep(86400)
"""


def listen_everywhere(place: Place, ports: set[int]) -> None:
    """Let every node answer on every port of the matrix: silence then means that no packet got through."""
    words = " ".join(map(str, sorted(ports)))
    for node in HOME:
        start = f"sudo systemd-run -q --unit=listen python3 -c {shlex.quote(LISTEN)} {words}"
        assert place.nodes.ssh(node, start).returncode == 0
        deadline = time.monotonic() + 60
        while not ports <= listening(place, node) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert ports <= listening(place, node)


def listening(place: Place, node: str) -> set[int]:
    lines = place.nodes.ssh(node, "ss -Hltn4").stdout.splitlines()
    return {int(line.split()[3].rpartition(":")[2]) for line in lines}


def sources(place: Place, row: Reach, node: str) -> list[str]:
    """Where packets of a row start: a site, a bound source, the internet, or every other node of a role."""
    kind, _, name = row.source.partition("/")
    if kind == "load_balancer":
        return []  # AWS's own machines; the twin has none of them
    if kind == "source":
        return [row.source]
    if kind != "role":
        return [name]
    return [n["name"] for n in place.region["nodes"] if n["role"] == name and n["name"] != node]


def reaches(place: Place, row: Reach, source: str, node: dict[str, Any]) -> bool:
    wait = 30.0 if row.allowed else 0.7
    return place.nodes.probe(source, target(place, source, node), row.protocol, row.port, wait)


@pytest.mark.parametrize("port", [21, 25, 80, 111, 3306, 5432, 8080, 9443])
def test_a_port_outside_the_intent_does_not_answer_from_the_internet(place: Place, port: int) -> None:
    assert not place.nodes.probe("internet", place.facts("edge-a-1")["public_address"], "tcp", port, 0.5)


def test_private_addresses_do_not_exist_for_the_internet(place: Place) -> None:
    """Not even with a route to the router: AWS delivers no stranger's packet to a private address."""
    inside = place.nodes.wires
    namespaces.batch(
        inside.internet, [f"route add 10.20.0.0/16 via inet6 fe80::1 dev {vpc_interface('customer')}"]
    )
    try:
        assert not place.nodes.probe("internet", place.address("edge-a-1"), "tcp", 443, 0.7)
    finally:
        namespaces.batch(inside.internet, ["route del 10.20.0.0/16"])


def test_the_package_proxy_and_the_time_server_answer_every_node(place: Place) -> None:
    for node in HOME:
        assert place.nodes.probe(node, "172.30.20.10", "tcp", 3142, 30), node
        assert place.nodes.probe(node, "172.30.20.11", "udp", 123, 30), node


def test_packages_come_through_the_proxy_only(place: Place) -> None:
    command = "sudo apt-get -o Acquire::Retries=0 -o Acquire::http::Timeout=3 {} update 2>&1; echo ended $?"
    direct = place.nodes.ssh("archive-a-1", command.format("-o APT::Update::Error-Mode=any"), 60)
    assert "ended 100" in direct.stdout
    proxied = command.format(
        "-o APT::Update::Error-Mode=any -o Acquire::http::Proxy=http://172.30.20.10:3142"
    )
    assert "ended 0" in place.nodes.ssh("archive-a-1", proxied, 120).stdout


def test_the_application_speaks_tls_with_256_bits_and_its_own_certificate(place: Place) -> None:
    offers = "openssl s_client -connect {}:8443 {} </dev/null 2>&1 | grep -E 'Cipher is|^subject'"
    address = place.address("app-a-1")
    seen = place.nodes.ssh("edge-a-1", offers.format(address, "")).stdout
    assert "subject=CN = app-a-1" in seen
    assert "TLS_AES_256_GCM_SHA384" in seen or "TLS_CHACHA20_POLY1305_SHA256" in seen
    for weak in (
        "-tls1_1",
        "-tls1_2 -cipher ECDHE+AESGCM+AES128",
        "-tls1_3 -ciphersuites TLS_AES_128_GCM_SHA256",
    ):
        assert "Cipher is (NONE)" in place.nodes.ssh("edge-a-1", offers.format(address, weak)).stdout, weak
    assert ssl.HAS_TLSv1_3


@contextmanager
def listener(namespace: str, address: str, port: int) -> Iterator[list[str]]:
    """Something that accepts connections somewhere; yields the list of who called."""
    with namespaces.inside(namespace):
        server = socket.create_server((address, port))
    callers: list[str] = []

    def serve() -> None:
        while True:
            try:
                connection, peer = server.accept()
            except OSError:
                return
            callers.append(peer[0])
            connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield callers
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(5)


@contextmanager
def allowed_out(place: Place, port: int) -> Iterator[None]:
    """Every group and every ACL lets this port out, and answers in: then only routes decide."""
    rule = [moto_region.permit("tcp", port, "0.0.0.0/0")]
    acls = [a["NetworkAclId"] for a in place.ec2.describe_network_acls()["NetworkAcls"] if not a["IsDefault"]]
    for node in place.region["nodes"]:
        place.ec2.authorize_security_group_egress(GroupId=node["security_group"], IpPermissions=rule)
    for acl in acls:
        for egress in (True, False):
            place.ec2.create_network_acl_entry(
                NetworkAclId=acl,
                RuleNumber=32001,
                Protocol="6",
                RuleAction="allow",
                Egress=egress,
                CidrBlock="0.0.0.0/0",
                PortRange={"From": 1, "To": 65535},
            )
    place.again()
    try:
        yield
    finally:
        for node in place.region["nodes"]:
            place.ec2.revoke_security_group_egress(GroupId=node["security_group"], IpPermissions=rule)
        for acl in acls:
            for egress in (True, False):
                place.ec2.delete_network_acl_entry(NetworkAclId=acl, RuleNumber=32001, Egress=egress)
        place.again()


def test_routes_decide_who_reaches_the_internet_and_under_which_address(place: Place) -> None:
    nat = place.ec2.describe_nat_gateways()["NatGateways"]
    customer = place.region["vpcs"]["customer"]["id"]
    lent = next(n["NatGatewayAddresses"][0]["PublicIp"] for n in nat if n["VpcId"] == customer)
    with listener(place.nodes.wires.internet, OUTSIDE, 8999) as callers:
        assert not place.nodes.probe("app-a-1", OUTSIDE, "tcp", 8999, 0.7), "the groups forbid it at first"
        with allowed_out(place, 8999):
            assert place.nodes.probe("edge-a-1", OUTSIDE, "tcp", 8999, 30)
            assert place.nodes.probe("app-a-1", OUTSIDE, "tcp", 8999, 30)
            assert not place.nodes.probe("archive-a-1", OUTSIDE, "tcp", 8999, 1), "isolated has no way out"
        assert not place.nodes.probe("app-a-1", OUTSIDE, "tcp", 8999, 0.7)
    assert callers == [place.facts("edge-a-1")["public_address"], lent]


def test_the_account_decides_a_revoked_rule_closes_the_port(place: Place) -> None:
    group, address = place.facts("app-a-1")["security_group"], place.address("app-a-1")
    edge = place.facts("edge-a-1")["security_group"]
    assert place.nodes.probe("edge-a-1", address, "tcp", 8443, 30)
    rule = [moto_region.permit("tcp", 8443, edge)]
    place.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=rule)
    place.again()
    assert not place.nodes.probe("edge-a-1", address, "tcp", 8443, 0.7)
    place.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rule)
    place.again()
    assert place.nodes.probe("edge-a-1", address, "tcp", 8443, 30)


def test_a_network_acl_refuses_what_the_groups_allow_also_on_the_way_back(place: Place) -> None:
    subnet = place.region["vpcs"]["customer"]["subnets"][place.facts("app-a-1")["subnet"]]["id"]
    acls = place.ec2.describe_network_acls()["NetworkAcls"]
    acl = next(a["NetworkAclId"] for a in acls if subnet in [s["SubnetId"] for s in a["Associations"]])
    address = place.address("app-a-1")
    for egress in (False, True):
        place.ec2.create_network_acl_entry(
            NetworkAclId=acl,
            RuleNumber=1,
            Protocol="6",
            RuleAction="deny",
            Egress=egress,
            CidrBlock=f"{place.address('edge-a-1')}/32",
            PortRange={"From": 1, "To": 65535},
        )
        place.again()
        assert not place.nodes.probe("edge-a-1", address, "tcp", 8443, 0.7), f"egress {egress}"
        place.ec2.delete_network_acl_entry(NetworkAclId=acl, RuleNumber=1, Egress=egress)
    place.again()
    assert place.nodes.probe("edge-a-1", address, "tcp", 8443, 30)


def test_without_the_route_to_the_peering_the_other_vpc_is_out_of_reach(place: Place) -> None:
    table = place.region["vpcs"]["customer"]["tables"]["private"]
    other = place.region["vpcs"]["platform"]["cidr"]
    address = place.address("archive-a-1")
    link = place.ec2.describe_vpc_peering_connections()["VpcPeeringConnections"][0]["VpcPeeringConnectionId"]
    assert place.nodes.probe("app-a-1", address, "tcp", 9443, 30)
    place.ec2.delete_route(RouteTableId=table, DestinationCidrBlock=other)
    place.again()
    assert not place.nodes.probe("app-a-1", address, "tcp", 9443, 0.7)
    place.ec2.create_route(RouteTableId=table, DestinationCidrBlock=other, VpcPeeringConnectionId=link)
    place.again()
    assert place.nodes.probe("app-a-1", address, "tcp", 9443, 30)


def test_a_node_cannot_speak_under_another_address(place: Place) -> None:
    """For once everybody may ask archive on 9443: what arrives is app's own address, not a stranger's."""
    group, stranger = place.facts("archive-a-1")["security_group"], "10.20.64.99"
    anybody = [moto_region.permit("tcp", 9443, "10.20.0.0/16")]
    place.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=anybody)
    place.again()
    count = "add table inet t; add chain inet t c { type filter hook prerouting priority -300; }"
    for source in (stranger, place.address("app-a-1")):
        count += f"; add rule inet t c ip saddr {source} tcp dport 9443 counter"
    place.nodes.ssh("archive-a-1", f"sudo nft '{count}'")
    ask = "import socket, sys; s = socket.socket(); s.settimeout(5); s.bind((sys.argv[1], 0)); "
    ask += "s.connect_ex((sys.argv[2], 9443))"
    place.nodes.ssh("app-a-1", f"sudo ip addr add {stranger}/32 dev lo")
    for source in (stranger, place.address("app-a-1")):
        place.nodes.ssh("app-a-1", f"python3 -c '{ask}' {source} {place.address('archive-a-1')}")
    seen = place.nodes.ssh("archive-a-1", "sudo nft list table inet t; sudo nft delete table inet t").stdout
    place.nodes.ssh("app-a-1", f"sudo ip addr del {stranger}/32 dev lo")
    place.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=anybody)
    place.again()
    packets = [int(line.split("packets ")[1].split()[0]) for line in seen.splitlines() if "packets" in line]
    assert packets[0] == 0
    assert packets[1] > 0


def test_a_node_that_answers_its_own_subnet_only_is_found_again(place: Place) -> None:
    """As hardened nodes do (arp_ignore=2): a router that forgot them has to ask as their subnet's gateway."""
    for node in HOME:
        done = place.nodes.ssh(node, "sudo sysctl -qw net.ipv4.conf.all.arp_ignore=2")
        assert done.returncode == 0, done.stderr
    for vpc in {place.facts(node)["vpc"] for node in HOME}:
        subprocess.run(["ip", "-n", place.nodes.wires.vpc(vpc), "neigh", "flush", "all"], check=True)
    for node in HOME:
        found = place.nodes.probe("noc", place.address(node), "tcp", 22, 30)
        assert found, f"{node} does not answer a router that asks for it"


def test_the_machine_itself_has_no_way_to_a_node(place: Place) -> None:
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    assert "stk-" not in links
    route = subprocess.run(
        ["ip", "route", "get", place.address("edge-a-1")], capture_output=True, text=True, check=False
    )
    assert "ens5" not in route.stdout
    assert place.nodes.wires.vpc("customer") not in route.stdout
