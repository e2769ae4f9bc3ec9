"""The node suite over a real node: blank, hardened, and hardened with one thing broken at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from report.model import Report, Status
from tests.mutation.weaknesses.nodes import TOGETHER
from tests.suite_run import harden, judged
from twin.machines import Lone

PROVEN = (Status.PASS, Status.FAIL, Status.WAIVED)


@dataclass
class Node:
    """A lone node and the suite as users run it over theirs."""

    lone: Lone
    home: Path
    seen_red: set[str] = field(default_factory=set)  # in any run of this module
    passed: set[str] = field(default_factory=set)  # in the last one

    def verify(self) -> Report:
        """Run tests/nodes over the node; no fault of the run itself is accepted."""
        report = judged(self.lone.inventory_file, self.home, self.lone.machines.region)
        failed = {r.control for r in report.results if r.status is Status.FAIL}
        self.seen_red |= failed
        self.passed = {r.control for r in report.results if r.status is Status.PASS} - failed
        return report

    def red(self) -> set[str]:
        """The controls that fail now. A control that cannot be judged is a fault of its test."""
        report = self.verify()
        errors = [f"{r.control}: {r.message}" for r in report.results if r.status is Status.ERROR]
        assert not errors, errors
        return {r.control for r in report.results if r.status is Status.FAIL}


@pytest.fixture(scope="module")
def node(lone_node_module: Lone, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node that is blank at first; `hardened` hardens it."""
    home = tmp_path_factory.mktemp("node")
    yield Node(lone_node_module, home)


@pytest.fixture(scope="module")
def hardened(node: Node) -> Node:
    """The same node after the hardening playbook."""
    harden(node.lone.inventory_file)
    # Its checksums are made in the background; the run after that records them off the node.
    made = "for i in $(seq 90); do test -s /var/lib/aide/aide.db && exit; sleep 1; done; exit 1"
    assert node.lone.sudo(made, 100).returncode == 0
    harden(node.lone.inventory_file, "--tags", "integrity")
    return node


def _ids(area: str, *numbers: int) -> set[str]:
    return {f"STK-{area}-{number:03d}" for number in numbers}


# What Debian's own image brings: these hold before anything is hardened. All others have to be red then.
DEBIAN_ITSELF = (
    _ids("AUD", 4, 5, 6)
    | _ids("FIL", 1, 2, 3, 5, 6, 7, 8, 10, 11, 13, 14)
    | _ids("KRN", 6, 7, 8, 28, 30)
    | _ids("PAT", 1, 5, 12)
    | _ids("SSH", 19, 20)
    | _ids("SVC", 2, 9, 11, 13, 14)
    | _ids("TIM", 3, 4)
    | _ids("USR", 1, 2, 3, 4, 5, 20, 24, 27, 28, 30)
)


def test_a_blank_node_fails_exactly_what_hardening_brings(node: Node) -> None:
    report = node.verify()
    errors = [f"{r.control}: {r.message}" for r in report.results if r.status is Status.ERROR]
    assert not errors, errors
    proven = {r.control for r in report.results if r.status in PROVEN}
    red = {r.control for r in report.results if r.status is Status.FAIL}
    assert proven - red == DEBIAN_ITSELF


def test_a_hardened_node_is_green(hardened: Node) -> None:
    assert hardened.red() == set()


# The evidence of the last run says that it failed, outside of the window and from an unknown source; a hold
# has expired; a package that does not configure is left half-way.
SPOILED_PATCHING = r"""
cp -a /var/lib/stockade/patching /root/ && cp -a /etc/stockade/patching.json /root/patching.json
python3 - <<'END'
import glob, json
newest = max(glob.glob("/var/lib/stockade/patching/*.json"))
record = json.load(open(newest))
record["outcome"] = "failed"
record["window"].update(kept=False, forced=None)
forged = {"name": "x:all", "before": "1", "after": "2", "origin": "unknown", "changelog": "missing"}
record["packages"].append(forged)
json.dump(record, open(newest, "w"))
stated = json.load(open("/etc/stockade/patching.json"))
stated["holds"].append({"name": "x", "reason": "forgotten", "until": "2020-01-01"})
json.dump(stated, open("/etc/stockade/patching.json", "w"))
END
umask 022; mkdir -p /root/half/DEBIAN && cd /root/half
printf 'Package: stk-half\nVersion: 1\nArchitecture: all\n' > DEBIAN/control
printf 'Maintainer: t <t@t>\nDescription: t\n' >> DEBIAN/control
printf '#!/bin/sh\nexit 1\n' > DEBIAN/postinst && chmod 755 DEBIAN/postinst
dpkg-deb --root-owner-group --build /root/half /root/half.deb >/dev/null
dpkg -i /root/half.deb 2>/dev/null; true
"""
MENDED_PATCHING = """
dpkg --purge --force-all stk-half; rm -rf /root/half /root/half.deb
rm -r /var/lib/stockade/patching && mv /root/patching /var/lib/stockade/
mv /root/patching.json /etc/stockade/
"""
WEAKNESSES: dict[str, tuple[str, str, set[str]]] = {
    "kernel parameters changed at run time": (
        "sysctl -w net.ipv4.conf.all.accept_redirects=1 net.ipv4.conf.all.accept_local=1 "
        "net.ipv4.conf.all.drop_gratuitous_arp=0 net.ipv6.conf.all.accept_ra_pinfo=1",
        "sysctl -w net.ipv4.conf.all.accept_redirects=0 net.ipv4.conf.all.accept_local=0 "
        "net.ipv4.conf.all.drop_gratuitous_arp=1 net.ipv6.conf.all.accept_ra_pinfo=0",
        _ids("KRN", 1, 30, 31, 32),
    ),
    "modules may be loaded again": (
        "mv /etc/modprobe.d/stockade-deny.conf /root/",
        "mv /root/stockade-deny.conf /etc/modprobe.d/",
        _ids("KRN", 25, 26, 27, 36),
    ),
    "mounts loosened, checksums without scope and schedule, confinement switched off": (
        "mount -o remount,bind,exec /var/tmp; mount -o remount,bind,suid,exec /home; "
        "systemctl disable -q apparmor; systemctl stop stockade-integrity-check.timer; "
        "cp /etc/aide/aide.conf /root/; sed -i '/^.usr.sbin/d' /etc/aide/aide.conf",
        "systemctl restart stockade-mount-options; systemctl enable -q apparmor; "
        "systemctl start stockade-integrity-check.timer; mv /root/aide.conf /etc/aide/",
        _ids("SVC", 20, 21, 23) | _ids("FIL", 20, 21, 22) | _ids("KRN", 43),
    ),
    "the packet filter flushed": (
        "nft flush ruleset",
        "/usr/local/sbin/stockade-firewall load",
        _ids("FWL", 1, *range(3, 15)),
    ),
    # The main file repeats what the drop-in says, so it has to go as well; this one says two of them again.
    "the ssh server's settings gone": (
        "mkdir /root/sshd && mv /etc/ssh/sshd_config.d/*.conf /etc/ssh/sshd_config /root/sshd/"
        " && printf 'PermitRootLogin no\nPasswordAuthentication no\nUsePAM yes\nAcceptEnv LANG LC_*\n'"
        " > /etc/ssh/sshd_config && systemctl reload ssh",
        "mv /root/sshd/sshd_config /etc/ssh/ && mv /root/sshd/*.conf /etc/ssh/sshd_config.d/"
        " && systemctl reload ssh",
        _ids("SSH", 1, *range(3, 7), *range(8, 19), 21) | _ids("USR", 25),
    ),
    "a drop-in lets everybody in with a password again": (
        "printf 'Match all\\nPasswordAuthentication yes\\n' > /etc/ssh/sshd_config.d/00-cloud.conf"
        " && systemctl reload ssh",
        "rm /etc/ssh/sshd_config.d/00-cloud.conf && systemctl reload ssh",
        _ids("SSH", 1),
    ),
    "accounts loosened in eight ways": (
        "cd /home/admin && cp -p .ssh/authorized_keys /root/keys"
        " && ssh-keygen -q -t ed25519 -N '' -f /root/id && cat /root/id.pub >> .ssh/authorized_keys"
        " && chmod 0660 .bashrc"
        " && cp -p /etc/sudoers.d/50-stockade /root/sudo && sed -i /log_input/d /etc/sudoers.d/50-stockade"
        " && gpasswd -a nobody shadow && chage -d 2099-01-01 nobody && echo umask 022 >> /root/.profile"
        " && echo /usr/sbin/nologin >> /etc/shells && chmod 755 /etc/update-motd.d/10-uname",
        "cd /home/admin && cp -p /root/keys .ssh/authorized_keys && rm /root/id* && chmod 0640 .bashrc"
        " && cp -p /root/sudo /etc/sudoers.d/50-stockade && gpasswd -d nobody shadow"
        " && chage -d 2020-01-01 nobody && sed -i '/^umask 022/d' /root/.profile"
        " && sed -i /nologin/d /etc/shells && chmod 644 /etc/update-motd.d/10-uname",
        _ids("USR", *range(25, 33)),
    ),
    "other terms for one address, an unused host key, a lax client": (
        "printf 'Match Address 172.30.10.0/24\nPasswordAuthentication yes\n' >"
        " /etc/ssh/sshd_config.d/00-a.conf"
        " && ssh-keygen -q -t ecdsa -N '' -f /etc/ssh/ssh_host_ecdsa_key"
        " && mv /etc/ssh/ssh_config.d/00-stockade.conf /root/client",
        "rm /etc/ssh/sshd_config.d/00-a.conf /etc/ssh/ssh_host_ecdsa_key*"
        " && mv /root/client /etc/ssh/ssh_config.d/00-stockade.conf",
        _ids("SSH", 1, 20, 21, 22),
    ),
    "short ciphers, a mail server, jobs that do not run, an open service, a banner of everybody's": (
        "mv /etc/gnutls/config /root/gnutls && sed -i '/stockade.cnf/s/^/#/' /etc/ssl/openssl.cnf"
        " && systemd-run --quiet --unit=mail python3 -m http.server 25 && systemctl disable cron"
        " && mv /etc/systemd/system/chrony.service.d/50-stockade.conf /root/chrony && systemctl daemon-reload"
        " && chmod 0664 /etc/motd && install -d -m 755 /root/p/DEBIAN && printf 'Package: rsync\n"
        "Version: 99\nArchitecture: all\n"
        "Maintainer: x <x@example.org>\nDescription: x\n' > /root/p/DEBIAN/control"
        " && dpkg-deb --build /root/p >&2 && dpkg --install /root/p.deb >&2",
        "mv /root/gnutls /etc/gnutls/config && sed -i '/stockade.cnf/s/^#//' /etc/ssl/openssl.cnf"
        " && systemctl stop mail && systemctl enable cron && chmod 0644 /etc/motd && dpkg --purge rsync >&2"
        " && mv /root/chrony /etc/systemd/system/chrony.service.d/50-stockade.conf"
        " && systemctl daemon-reload",
        _ids("SVC", 2, 8, 10, 12, 13, 14, 15, 16) | _ids("FIL", 14),
    ),
    "logins and sudo calls that nobody writes down": (
        "printf 'Match all\\nLogLevel QUIET\\n' > /etc/ssh/sshd_config.d/00-quiet.conf"
        " && systemctl reload ssh && echo 'Defaults !syslog' > /etc/sudoers.d/zz-quiet"
        " && chmod 0440 /etc/sudoers.d/zz-quiet"
        " && journalctl --rotate && find /var/log/journal -name '*@*' -delete",
        "rm /etc/ssh/sshd_config.d/00-quiet.conf /etc/sudoers.d/zz-quiet && systemctl reload ssh",
        _ids("AUD", 4, 5) | _ids("SSH", 13),
    ),
    "a package source that needs no signature": (
        "echo 'deb [trusted=yes] http://203.0.113.9/debian sid main' > /etc/apt/sources.list.d/extra.list",
        "rm /etc/apt/sources.list.d/extra.list",
        _ids("PAT", 2),
    ),
    "audit rules, log files and listeners left to anybody": (
        "echo '-e 1' >> /etc/audit/audit.rules && chmod 0755 /etc/audit/rules.d && echo x > /var/log/leak"
        " && chmod 0644 /var/log/leak"
        " && rm /etc/systemd/system/systemd-journal-remote.socket"
        " && printf '[Journal]\\nForwardToSyslog=yes\\n' > /etc/systemd/journald.conf.d/zzz.conf"
        " && systemctl daemon-reload",
        "sed -i '$d' /etc/audit/audit.rules && chmod 0750 /etc/audit/rules.d && rm /var/log/leak"
        " && ln -s /dev/null /etc/systemd/system/systemd-journal-remote.socket"
        " && rm /etc/systemd/journald.conf.d/zzz.conf && systemctl daemon-reload",
        _ids("AUD", 11, 12, 13, 15, 16),
    ),
    "a patching run without proof": (SPOILED_PATCHING, MENDED_PATCHING, _ids("PAT", 10, 11, 12, 13, 14)),
}


def _rounds() -> list[list[str]]:
    """The weaknesses, as many at once as share no control: their sum has to be the whole difference."""
    found: list[list[str]] = []
    for name, (_, _, expected) in WEAKNESSES.items():
        free = [one for one in found if not any(expected & WEAKNESSES[other][2] for other in one)]
        if free:
            free[0].append(name)
        else:
            found.append([name])
    return found


ROUNDS = _rounds()


def _does(node: Node, what: str, command: str) -> None:
    """Run it; what reloads sshd closes the logins that come while it starts again."""
    done = node.lone.sudo(command)
    assert done.returncode == 0, f"{what}: {done.stderr}"
    if " ssh" in command:
        node.lone.machines.wait(node.lone.name)


@pytest.mark.parametrize("weaknesses", ROUNDS, ids=[f"{len(one)} from {one[0]}" for one in ROUNDS])
def test_a_broken_thing_turns_exactly_its_controls_red(hardened: Node, weaknesses: list[str]) -> None:
    with ExitStack() as repairs:
        for what in weaknesses:
            spoil, repair, _ = WEAKNESSES[what]
            _does(hardened, what, spoil)
            repairs.callback(_does, hardened, f"mending: {what}", repair)
        assert hardened.red() == set().union(*(WEAKNESSES[what][2] for what in weaknesses))


def test_many_things_broken_at_once_turn_exactly_their_controls_red(hardened: Node) -> None:
    """They have nothing to do with each other, so that the sum of their controls is the whole difference."""
    with ExitStack() as repairs:
        for what, spoil, repair, _ in TOGETHER:
            repairs.callback(hardened.lone.sudo, repair)
            done = hardened.lone.sudo(spoil)
            assert done.returncode == 0, f"{what}: {done.stderr}"
        assert hardened.red() == set().union(*(expected for *_, expected in TOGETHER))


def test_the_repaired_node_is_green_again(hardened: Node) -> None:
    assert hardened.red() == set()


def test_every_control_that_passes_here_was_seen_red(hardened: Node, request: pytest.FixtureRequest) -> None:
    """On the blank node, or by a weakness. Add one to `weaknesses/nodes.py` for whatever is named here."""
    here = [item for item in request.session.items if item.path == request.path]
    if len(here) < len(ROUNDS) + 5:
        pytest.skip("a part of this module has not seen everything")
    # Without CAP_SYS_RESOURCE nobody in a container raises the hard limit of core dumps again.
    assert sorted(hardened.passed - hardened.seen_red - _ids("KRN", 28)) == []
