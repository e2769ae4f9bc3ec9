"""A real tunnel: a node hardened and set up by the role, against a peer with the account's options.

The peer accepts what DescribeVpnConnections says and the keys that Secrets Manager holds; the node gets the
variables of the hand-over sheet. The tests of this file share both and run in their order.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest

import settings
from network.handover import describe, sheet, variables
from tests import forked
from tests.conftest import require_nodes
from tests.e2e.tunnel_program import connect
from twin import account
from twin.machines import namespaces
from twin.machines.premises import Premises, premises
from twin.machines.wires import vpc_interface
from twin.play import ansible_environment

ROOT = Path(__file__).resolve().parents[2]
STACK, SITE, VPC = "eu-frankfurt", "hansa-fracht", "customer"
SERVER = "10.40.64.10"  # in the VPC of the stack file
WORD = b"Stockade"  # fills every ping of `Premises.ping`
OPEN, STRONG_ESP = "aes256gcm16-prfsha384-ecp384", "aes256gcm16-ecp384"


@dataclass
class Setting:
    """The premises, the role's variables and the keys."""

    place: Premises
    facts: dict[str, Any]
    keys: dict[str, str]
    outputs: list[str] = field(default_factory=list)

    def play(self, keys: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the playbook with these keys; they travel in a file that only its owner reads."""
        facts = json.loads(json.dumps(self.facts))
        for tunnel in facts["customer_gateway_connections"][0]["tunnels"]:
            tunnel["secret"] = keys[tunnel["outside"]]
        path = self.place.machines.home / "facts.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(facts))
        words = ["playbook", "-i", str(self.place.inventory_file), "playbooks/customer_gateway.yml"]
        words += ["-e", f"@{path}", "--diff", *arguments]
        environment = {**ansible_environment(), "ANSIBLE_NOCOLOR": "1"}
        done = forked.python("ansible", *words, cwd=ROOT, env=environment, timeout=1200)
        self.outputs.append(done.stdout + done.stderr)
        return done

    def weak(self, version: int, ike: str, esp: str) -> str:
        """Let the node ask for something else than the role would; returns what the peer said to it."""
        ends = f"local {{\nauth = psk\nid = {self.place.customer}\n}}\n"
        ends += f"remote {{\nauth = psk\nid = {self.place.outsides[0]}\n}}\n"
        child = f"children {{\nweak {{\nesp_proposals = {esp}\n"
        child += f"local_ts = {self.facts['customer_gateway_ranges'][0]}\n"
        child += f"remote_ts = {self.facts['customer_gateway_connections'][0]['network']}\n}}\n}}"
        text = f"connections {{\nweak {{\nversion = {version}\nremote_addrs = {self.place.outsides[0]}\n"
        text += f"proposals = {ike}\n{ends}{child}\n}}\n}}"
        before = len(self.place.peer.log())
        self.place.sudo(
            f"cat > /run/weak.conf <<END\n{text}\nEND\nswanctl --load-conns --file /run/weak.conf"
        )
        done = self.place.sudo("swanctl --initiate --ike weak --child weak --timeout 30", timeout=120)
        assert done.returncode != 0, done.stdout
        self.place.sudo("swanctl --terminate --ike weak --force; swanctl --load-all --noprompt", timeout=120)
        return self.place.peer.log()[before:]


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    require_nodes()
    home = tmp_path_factory.mktemp("account")
    stated = settings.load(STACK, ROOT)
    live = account.start(STACK, stated.account, stated.region, root=home)
    try:
        region = connect(live, home, STACK, SITE, VPC)
        who = boto3.Session("testing", "testing", region_name=stated.region)
        described = describe(region, SITE, who.client("ec2", endpoint_url=live.endpoint))
        connection = described[VPC]
        vault = who.client("secretsmanager", endpoint_url=live.endpoint)
        keys = json.loads(vault.get_secret_value(SecretId=connection["PreSharedKeyArn"])["SecretString"])
        gateway = str(stated.sites[SITE].gateway)
        facts = variables(region, SITE, described) | {
            "customer_gateway_datapath": "userland",
            "customer_gateway_dead_after_seconds": 9,
            "gateways": "nodes",
        }
        assert not [key for key in keys.values() if key in sheet(region, SITE, described) + str(facts)]
        with premises("tunnel", connection, gateway, SERVER) as place:
            place.peer.start(connection, gateway, keys)
            yield Setting(place, facts, keys)
    finally:
        account.stop(root=home)


def wait_for(fact: Callable[[], bool], seconds: float) -> bool:
    """Whether it becomes true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if fact():
            return True
        time.sleep(0.2)
    return False


def captured(namespace: str, interface: str, act: Callable[[], object]) -> list[bytes]:
    """Every packet on an interface while something is done."""
    with namespaces.inside(namespace):
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    found: list[bytes] = []
    with wire:
        wire.bind((interface, 3))
        wire.settimeout(0.3)
        stop = threading.Event()

        def listen() -> None:
            while True:  # also what came before the end and was not read yet
                try:
                    found.append(wire.recv(65535))
                except TimeoutError:
                    if stop.is_set():
                        return

        listener = threading.Thread(target=listen)
        listener.start()
        try:
            act()
        finally:
            stop.set()
            listener.join()
    return found


def test_a_wrong_key_is_refused_and_the_peer_says_so(setting: Setting) -> None:
    wrong = {outside: key[::-1].replace("0", "1") for outside, key in setting.keys.items()}
    done = setting.play(wrong)
    assert done.returncode == 0, done.stdout[-3000:]
    refused = re.compile(r"tried \d shared keys? for .*but MAC mismatched")
    assert wait_for(lambda: bool(refused.search(setting.place.peer.log())), 150), setting.place.peer.log()
    assert setting.place.peer.up() == set()
    assert not setting.place.ping()


def test_both_tunnels_come_up_once_the_key_is_right(setting: Setting) -> None:
    done = setting.play(setting.keys, "--tags", "customer_gateway")
    assert done.returncode == 0, done.stdout[-3000:]
    assert wait_for(lambda: setting.place.peer.up() == set(setting.place.outsides), 150), (
        setting.place.peer.log()
    )
    assert "AES_GCM_16-256" in setting.place.peer.control("--list-sas")


def test_a_second_run_changes_nothing_and_tells_no_key(setting: Setting) -> None:
    done = setting.play(setting.keys, "--tags", "customer_gateway")
    assert re.search(r"changed=0 .*failed=0", done.stdout), done.stdout[-1500:]
    told = [key for key in setting.keys.values() for output in setting.outputs if key in output]
    assert told == []
    secrets = "/etc/swanctl/conf.d/stockade-secrets.conf"
    assert setting.place.sudo(f"stat -c '%a %U' {secrets}").stdout == "600 root\n"
    said = setting.place.sudo("journalctl --no-pager; cat /proc/[0-9]*/cmdline").stdout
    assert not [key for key in setting.keys.values() if key in said]
    assert all(key in setting.place.sudo(f"cat {secrets}").stdout for key in setting.keys.values())


def test_traffic_passes_and_is_encrypted_on_the_wire(setting: Setting) -> None:
    place = setting.place
    inside = captured(place.lan, "eth0", place.ping)
    assert any(WORD in packet for packet in inside), "the same look finds it where it is in clear"
    assert wait_for(place.ping, 60)
    wire = captured(place.internet, "amazon", lambda: [place.ping() for _ in range(3)])
    assert not [packet for packet in wire if WORD in packet]
    ends = {socket.inet_aton(place.machine), socket.inet_aton(place.server)}
    assert not [packet for packet in wire if packet[12:16] in ends or packet[16:20] in ends]
    # RFC 3948: ESP in UDP 4500 starts with an SPI, which is never zero; IKE starts with four zeros.
    carried = [
        p for p in wire if p[9] == 17 and 4500 in (_port(p, 20), _port(p, 22)) and p[28:32] != b"\0" * 4
    ]
    assert len(carried) >= 6, "three questions and three answers"


def _port(packet: bytes, place: int) -> int:
    return int.from_bytes(packet[place : place + 2], "big")


def test_a_weaker_key_exchange_is_refused(setting: Setting) -> None:
    said = setting.weak(2, "aes128-sha1-modp1024", STRONG_ESP)
    assert "received proposals: IKE:AES_CBC_128/HMAC_SHA1_96/PRF_HMAC_SHA1/MODP_1024" in said
    assert "received proposals unacceptable" in said


def test_a_weaker_cipher_for_the_traffic_is_refused(setting: Setting) -> None:
    said = setting.weak(2, OPEN, "aes128-sha1-modp1024")
    assert "received proposals: ESP:AES_CBC_128/HMAC_SHA1_96" in said
    assert "no acceptable proposal found" in said


def test_ikev1_is_refused_even_with_strong_algorithms(setting: Setting) -> None:
    said = setting.weak(1, "aes256-sha384-ecp384", STRONG_ESP)
    assert "ID_PROT request" in said
    assert "no IKE config found" in said


def test_each_tunnel_carries_on_when_the_other_one_is_cut(setting: Setting) -> None:
    place = setting.place
    first, second = place.outsides
    for dead, alive in ((first, second), (second, first)):
        assert wait_for(lambda: place.peer.up() == {first, second}, 150), place.peer.log()[-3000:]
        place.cut(dead)
        try:
            assert wait_for(place.ping, 150), f"{dead} is cut and nothing passes through {alive}"
            wire = captured(place.internet, "amazon", lambda: [place.ping() for _ in range(2)])
            assert not [p for p in wire if WORD in p]
            peers = {socket.inet_ntoa(p[12:16]) for p in wire if p[28:32] != b"\0" * 4 and p[9] == 17}
            assert dead not in peers
            assert alive in peers
        finally:
            place.mend(dead)


def test_with_no_tunnel_nothing_leaves_in_clear(setting: Setting) -> None:
    place = setting.place
    place.sudo("systemctl stop customer-gateway-keep.timer strongswan.service")
    wire = captured(place.internet, "amazon", lambda: [place.ping() for _ in range(2)])
    gone = captured(place.internet, vpc_interface(VPC), lambda: [place.ping() for _ in range(2)])
    server = socket.inet_aton(place.server)
    assert not [packet for packet in wire + gone if WORD in packet or server in packet[:20]]
    dropped = place.sudo("nft list chain inet stockade_gateway forward").stdout
    assert re.search(r"counter packets [1-9]\d* bytes \d+ drop", dropped), dropped
