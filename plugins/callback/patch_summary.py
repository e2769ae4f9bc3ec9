"""Callback: what each node of a patching run is at, and one line per node at its end, the untouched ones too.

Ansible's recap counts tasks; an operator whose run has stopped asks which nodes are patched, which one failed
and which were never reached.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: patch_summary
type: aggregate
short_description: Phase, node and time of a patching run, and a line per node at its end
description: [Speaks in playbooks/patch.yml and playbooks/unpatch.yml only.]
"""

PLAYBOOKS = ("patch.yml", "unpatch.yml")
PLAYS = ("Patch", "Take the run back")
PHASES = {
    "Look what differs from the checksums before anything is changed": "checksums",
    "Take the node out of service": "drain",
    "Install the updates": "update",
    "Bring the packages back to the versions before the run": "go back",
    "Reboot for the recorded reason": "reboot",
    "Look whether packages are whole, services run and the installed kernel is the running one": "verify",
    "Let a new login prove that the node can still be administered": "login",
    "Judge the service and take the node into service again": "health",
    "Take what the change did into a new database": "checksums",
    "Add to the evidence what was accepted, and that the login and the hooks passed": "note",
    "Fetch the evidence": "evidence",
}
STOP = "Stop the run, so that no other node is touched"


def describe(record: dict | None, failure: str | None, done: bool) -> str:
    """A node's line: its outcome, then what was changed or what went wrong."""
    if failure is not None:
        return f"FAILED     {failure}"
    if record is None:
        return "unchanged  took no part in the run" if done else "untouched  the run did not reach it"
    packages = record["packages"]
    cves = sorted({cve for package in packages for cve in package["cves"]})
    parts = [f"{len(packages)} packages", f"{len(cves)} CVEs fixed"]
    if record["mode"] == "rollback":
        parts[1] = f"{len(record.get('reopened_cves', []))} CVEs open again"
    parts.append(
        f"rebooted: {'; '.join(record['reboot']['causes'])}" if record["reboot"]["wanted"] else "no reboot"
    )
    if record["reboot"]["required"] and not record["reboot"]["wanted"]:
        whom = str(record["reboot"].get("left_to") or "you").upper()
        parts[-1] = f"REBOOT LEFT TO {whom}: {'; '.join(record['reboot']['causes'])}"
    window = record["window"]
    parts.append(f"forced: {window['forced']}" if window["forced"] else "inside of the window")
    checksums = record.get("integrity") or {}
    if checksums.get("renewed"):
        parts.append(f"checksums renewed for {len(checksums['accepted'])} paths")
    if checksums.get("before"):
        parts.append(f"CHECKSUMS LEFT TO YOU: {len(checksums['before'])} paths differed before the run")
    return f"{record['outcome']:<10} {', '.join(parts)}"


class CallbackModule(CallbackBase):
    """Follows the hosts of the one play that changes nodes."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "patch_summary"

    def __init__(self) -> None:
        super().__init__()
        self._active = self._ours = False
        self._expected: list[str] = []
        self._begun: dict[str, float] = {}
        self._ended: dict[str, float] = {}
        self._records: dict[str, dict] = {}
        self._failures: dict[str, str] = {}

    def v2_playbook_on_start(self, playbook):
        self._active = Path(playbook._file_name).name in PLAYBOOKS

    def v2_playbook_on_play_start(self, play):
        self._ours = self._active and play.get_name() in PLAYS
        if self._ours and not self._expected:
            inventory = play.get_variable_manager()._inventory
            self._expected = [
                host.get_name() for host in inventory.get_hosts(play.hosts, ignore_restrictions=True)
            ]

    def v2_runner_on_start(self, host, task):  # noqa: ARG002
        if self._ours:
            self._begun.setdefault(host.get_name(), time.monotonic())

    def v2_runner_on_ok(self, result):
        if not self._ours:
            return
        host, phase = result._host.get_name(), PHASES.get(result._task.get_name().rpartition(" : ")[2])
        self._ended[host] = time.monotonic()
        if phase in ("update", "go back"):
            self._records[host] = json.loads(result._result["stdout"])
        if phase == "note" and host in self._records:
            self._records[host]["integrity"] = json.loads(result._result["stdout"]).get("integrity")
        if phase:
            elapsed = self._ended[host] - self._begun[host]
            self._display.display(f"{elapsed:6.1f} s  {host}: {phase}")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        if self._ours and not ignore_errors:
            host, said = result._host.get_name(), result._result
            self._ended[host] = time.monotonic()
            problem = str(said.get("stderr") or said.get("msg") or "failed").strip()
            if result._task.get_name().rpartition(" : ")[2] == STOP or host not in self._failures:
                self._failures[host] = " ".join(problem.split())

    def v2_runner_on_unreachable(self, result):
        if self._ours:
            host = result._host.get_name()
            self._ended[host] = time.monotonic()
            self._failures[host] = "out of reach; look at its console, nothing is known about its state"

    def v2_playbook_on_stats(self, stats):  # noqa: ARG002
        if not self._expected:
            return
        self._display.banner("NODES")
        width = max(map(len, self._expected))
        for host in self._expected:
            elapsed = self._ended.get(host, 0.0) - self._begun.get(host, 0.0)
            line = describe(self._records.get(host), self._failures.get(host), host in self._ended)
            self._display.display(f"{host:<{width}}  {elapsed:6.1f} s  {line}")
