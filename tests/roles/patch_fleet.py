"""Two real nodes, the sources they are patched from, and playbooks/patch.yml run over them."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests import suite_run
from tests.roles.package_source import Key, Package, as_text, build_suite
from tests.roles.role_run import harden
from twin.machines import Lone

ROOT = Path(__file__).resolve().parents[2]


def zone_at_noon() -> str:
    """A time zone where it is noon: no day ends there while tests run. Its sign is POSIX's, minus is east."""
    ahead = 12 - datetime.now(UTC).hour
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/UTC"


ZONE = zone_at_noon()
OPEN_NOW = f"{datetime.now(ZoneInfo(ZONE)):%a} 00:00-23:59"
CLOSED_NOW = f"{datetime.now(ZoneInfo(ZONE)) + timedelta(days=3):%a} 01:00-02:00"
OLD_CVE, FIRST_CVE, SECOND_CVE = "CVE-2020-0001", "CVE-2026-0001", "CVE-2026-0002"
LOCK_CHANGES = (
    ("1.2", f"Fix {SECOND_CVE}."),
    ("1.1", f"Fix {FIRST_CVE} in the lock."),
    ("1.0", f"Fix {OLD_CVE}."),
)
COVERED = ["/etc/ssh", "/usr/local", "/usr/share/doc", "/usr/share/stk"]
# Replaces the file that a running service executes, and does not restart the service.
DAEMON = """
cp /usr/bin/sleep /usr/share/stk/sleeper.new
mv /usr/share/stk/sleeper.new /usr/share/stk/sleeper
systemctl daemon-reload; systemctl enable stk-daemon; systemctl start stk-daemon
"""
UNIT = "[Service]\nExecStart=/usr/share/stk/sleeper infinity\n[Install]\nWantedBy=multi-user.target\n"


def lock(version: str, **more: Any) -> Package:
    """The package whose security updates are told by its changelog."""
    known = tuple(entry for entry in LOCK_CHANGES if entry[0] <= version)
    return Package("stk-lock", version, changelog=known, **more)


def daemon(version: str) -> Package:
    """A package with a service that its update replaces on disk and does not restart."""
    files = {"usr/lib/systemd/system/stk-daemon.service": UNIT}
    return Package("stk-daemon", version, postinst=DAEMON, files=files)


def build_sources(work: Path) -> Path:
    """All states of the source, each in a directory of its own; `key` is what the nodes trust."""
    ours, stranger, tree = Key(work / "keys"), Key(work / "stranger"), work / "tree"
    held = Package("stk-held", "1.1")
    states = {
        "kept": [lock("1.1")],
        "first": [lock("1.1"), held, daemon("1.0")],
        "broken": [lock("1.2.1", postinst="echo the disk of the test is upside down >&2; exit 1"), held],
        "mended": [lock("1.3"), held],
        "restart": [lock("1.3"), held, daemon("1.1")],
        "vanishing": [Package("stk-large", "1.1"), Package("stk-lock", "1.4")],
    }
    build_suite(
        tree / "old",
        "Old",
        [lock("1.0"), Package("stk-held", "1.0"), daemon("1.0"), Package("stk-large", "1.0")],
        ours,
        age=900,
    )
    for number, (state, packages) in enumerate(states.items()):
        build_suite(tree / state, "Debian-Security", packages, ours, age=800 - number)
    features = [
        Package("stk-large", "1.2", control="Depends: stk-needed\n"),
        Package("stk-needed", "1.0"),
        Package("stk-held", "1.2"),
        Package("stk-lock", "2.0", control="Conflicts: stk-daemon\n"),
    ]
    build_suite(tree / "features", "Debian", features, ours, age=700)
    build_suite(tree / "stranger", "Debian-Security", [lock("1.5")], stranger)
    build_suite(tree / "unsigned", "Debian-Security", [lock("1.5")], None)
    (tree / "key").write_bytes(ours.public)
    return tree


# Serves the source over HTTP, and goes away in the middle of the larger package.
VANISHING = """
import http.server, os
class Handler(http.server.SimpleHTTPRequestHandler):
    def copyfile(self, source, output):
        content = source.read()
        if "stk-large" in self.path and not os.path.exists("/srv/stk/whole"):
            output.write(content[:len(content) // 2])
            output.flush()
            os._exit(1)
        output.write(content)
os.chdir("/srv/stk/vanishing")
http.server.ThreadingHTTPServer(("127.0.0.1", 8088), Handler).serve_forever()
"""


def serve_over_http(node: Lone) -> None:
    """Start the source that vanishes on the node itself, and name it as the only one."""
    text = base64.b64encode(VANISHING.encode()).decode()
    node.sudo(
        f"echo {text} | base64 -d > /srv/stk/server.py;"
        " systemd-run --collect --unit stk-source python3 /srv/stk/server.py;"
        " echo 'Acquire::http::Proxy::127.0.0.1 \"DIRECT\";' > /etc/apt/apt.conf.d/99stk;"
        " echo 'deb [signed-by=/srv/stk/key] http://127.0.0.1:8088 ./' > /etc/apt/sources.list.d/stk.list;"
        " for i in $(seq 300); do ss -ltn | grep -q :8088 && break; sleep 0.2; done"
    )


def prepare(node: Lone, tree: Path) -> None:
    """Put the sources on the node, install the old packages, and switch Debian's own sources off."""
    source = "deb [signed-by=/srv/stk/key] file:/srv/stk"
    script = (
        "mkdir -p /srv/stk /srv/off;"
        f" echo {as_text(tree)} | base64 -d | tar xJ -C /srv/stk --no-same-owner;"
        " chmod -R a+rX /srv/stk; ln -sfn first /srv/stk/current;"
        " dpkg -i /srv/stk/old/stk-lock*.deb /srv/stk/old/stk-held*.deb;"
        " mv /etc/apt/sources.list /etc/apt/sources.list.d/* /srv/off/;"
        f" echo '{source}/current ./' > /etc/apt/sources.list.d/stk.list;"
        f" echo '{source}/old ./' >> /etc/apt/sources.list.d/stk.list;"
        f" echo '{source}/kept ./' >> /etc/apt/sources.list.d/stk.list"
    )
    placed = node.sudo(script)
    assert versions(node) == {"stk-lock": "1.0", "stk-held": "1.0"}, placed.stdout + placed.stderr


def install_aide(node: Lone) -> None:
    """From Debian's sources, before `prepare` switches them off."""
    apt = "DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::http::Proxy=http://172.30.20.10:3142"
    installed = node.sudo(f"{apt} update && {apt} -y --no-install-recommends install aide", timeout=600)
    assert installed.returncode == 0, installed.stdout[-500:] + installed.stderr


def cover(node: Lone, work: Path) -> None:
    """Checksums of what our packages touch, as the role integrity keeps them."""
    harden(node, "integrity", integrity_paths=COVERED, integrity_record=str(work / "blank"))
    wait = "for i in $(seq 1500); do test -s /var/lib/aide/aide.db && exit; sleep 0.2; done; exit 1"
    assert node.sudo(wait, timeout=600).returncode == 0
    assert differing(node) == 0


def differing(node: Lone) -> int:
    """AIDE's own word: 0 when the node is what its checksums say."""
    return node.sudo("aide --config=/etc/aide/aide.conf --check", timeout=600).returncode


def versions(node: Lone) -> dict[str, str]:
    """Our packages that are installed, whole or half-way."""
    shown = node.sudo("dpkg-query -W -f '${Package} ${Version}\\n' 'stk-*'").stdout
    return dict(line.split() for line in shown.splitlines() if len(line.split()) == 2)


@dataclass(frozen=True)
class Played:
    """What a run of a playbook said, and the evidence that it fetched, by node."""

    code: int
    output: str
    evidence: dict[str, dict[str, Any]]

    def line(self, node: str) -> str:
        """The summary line of a node."""
        _, _, summary = self.output.partition("NODES")
        return next(line for line in summary.splitlines() if line.startswith(f"{node} "))


class Fleet:
    """A canary and a second node, in this order, as one inventory."""

    def __init__(self, canary: Lone, second: Lone, work: Path) -> None:
        self.canary, self.second, self.work = canary, second, work
        self.evidence = work / "evidence"
        self._inventory = work / "inventory.yml"
        groups = canary.inventory["all"]["children"]["nodes"]["children"]
        hosts = {}
        for name, node in {"canary": canary, "second": second}.items():
            found = node.inventory["all"]["children"]["nodes"]["children"]
            hosts[name] = next(host for role in found.values() for host in role["hosts"].values())
        assert groups
        self._hosts, self._common = hosts, canary.inventory["all"]["vars"]
        data = {"all": {"children": {"nodes": {"hosts": hosts}}, "vars": self._common}}
        self._inventory.write_text(json.dumps(data))

    def with_another(self, name: str, **variables: Any) -> Path:
        """A further inventory with one node more, like the canary but for what is stated."""
        path = self.work / f"{name}.yml"
        host = {name: {**self._hosts["canary"], **variables}}
        path.write_text(json.dumps({"all": {"children": {"nodes": {"hosts": host}}}}))
        return path

    def serve(self, state: str) -> None:
        """Both nodes' source in another state."""
        for node in (self.canary, self.second):
            assert node.sudo(f"ln -sfn {state} /srv/stk/current").returncode == 0

    def renew_checksums(self) -> None:
        """What an operator does on the canary who has looked at what differs."""
        play = self.work / "renew.yml"
        play.write_text(json.dumps([{"hosts": "canary", "gather_facts": False, "roles": ["integrity"]}]))
        given: dict[str, Any] = {"integrity_renew": True, "integrity_paths": COVERED}
        given["integrity_record"] = str(self.work / "integrity")
        done = suite_run.play(self._inventory, str(play), "-e", json.dumps(given))
        assert done.code == 0, done.output
        assert differing(self.canary) == 0

    def play(self, playbook: str, *options: str, **variables: Any) -> Played:
        """Run the playbook over both nodes, one after the other, inside of the window."""
        given = {
            "patching_window": OPEN_NOW,
            "patching_timezone": ZONE,
            "patching_index_minutes": 0,
            "patching_evidence": str(self.evidence),
            "integrity_record": str(self.work / "integrity"),
            "patch_batches": [1, "100%"],
            **variables,
        }
        before = set(self.evidence.glob("*"))
        done = suite_run.play(self._inventory, f"playbooks/{playbook}.yml", "-e", json.dumps(given), *options)
        evidence = {
            file.stem: json.loads(file.read_text())
            for run in set(self.evidence.glob("*")) - before
            for file in run.glob("*.json")
        }
        return Played(done.code, done.output, evidence)


def records(node: Lone) -> list[str]:
    """Names of the runs that the node has evidence of, the oldest first."""
    return sorted(node.sudo("ls /var/lib/stockade/patching 2>/dev/null").stdout.split())
