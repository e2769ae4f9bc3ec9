"""Action plugin: judges whether a node may be hardened from here, before anything on it is changed."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from ipaddress import ip_address, ip_network
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import action_loader

PROVEN = {("debian", "12"), ("debian", "13")}
UNPROVEN = {("ubuntu", "22.04"), ("ubuntu", "24.04")}
OLDEST_PYTHON = (3, 9)
WARNING_DAYS = 30


def judge_system(facts: dict[str, Any], wanted: dict[str, Any]) -> tuple[list[str], list[str]]:
    """(problems, warnings) of the machine itself: distribution, Python, room, package manager."""
    problems: list[str] = []
    warnings: list[str] = []
    system = (facts["os"]["id"], facts["os"]["version"])
    name = facts["os"]["name"] or " ".join(system)
    if system in UNPROVEN:
        warnings.append(f"{name} is expected to work and not proven by tests; Debian 12 and 13 are")
    if not facts["systemd"]:
        problems.append(
            "systemd is not running; the guard's timed revert needs it; boot the node with systemd"
        )
    if tuple(facts["python"]) < OLDEST_PYTHON:
        version = ".".join(map(str, facts["python"]))
        problems.append(f"Python {version}; 3.9 or newer is needed on the node; use a newer image")
    for path, free in sorted(facts["free_mb"].items()):
        if path in ("/", "/var") and free < wanted["min_free_mb"]:
            rule = f"{wanted['min_free_mb']} MB are needed for packages and logs"
            problems.append(f"{free} MB free on {path}; {rule}; make room")
    for path, free in sorted(facts["free_inodes"].items()):
        if free < wanted["min_free_inodes"]:
            rule = f"{wanted['min_free_inodes']} are needed for packages and logs"
            problems.append(f"{free} inodes free on {path}; {rule}; remove files")
    if not facts["first_boot_over"]:
        problems.append("cloud-init is still running; its changes would come after ours; try again later")
    if not facts["dpkg_free"]:
        problems.append(
            "dpkg is locked by another process; packages cannot be installed; try again when it is done"
        )
    return problems, warnings


def judge_access(facts: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Problems that would lock this very connection out: its account, its source address."""
    problems = []
    login, allowed = wanted["login"], set(wanted["allow_groups"])
    listed = login in wanted["automation"] or login in wanted["people"]
    groups = set(facts["groups"]) | ({wanted["login_group"]} if listed else set())
    if not groups & allowed:
        problems.append(
            f"login {login} would be in none of the groups that sshd lets in ({', '.join(sorted(allowed))}); "
            "the account of this connection must be; add it to users_automation or users_people"
        )
    if login == "root":
        problems.append("login root; sshd will refuse root; connect as the image's own account with sudo")
    for path in facts["nologin"]:
        problems.append(
            f"{path} is there; nobody but root gets in any more, so this connection is the last one; "
            "cancel the planned shutdown, or remove the file"
        )
    if facts["sshd_refuses"]:
        problems.append(
            f"sshd refuses its own files: {facts['sshd_refuses']}; it must be able to start again; "
            "repair them (host keys: ssh-keygen -A)"
        )
    networks = wanted["admin_networks"]
    if not networks:
        return [
            *problems,
            "local_firewall_admin_networks is empty; ssh would be closed to all; name the NOC's ranges",
        ]
    if not facts["connection"]:
        return [
            *problems,
            "the source of this connection is unknown; it must be ssh; do not run this locally",
        ]
    source = ip_address(facts["connection"][0].partition("%")[0])
    source = getattr(source, "ipv4_mapped", None) or source
    if not any(source in ip_network(network) for network in networks):
        problems.append(
            f"this connection comes from {source}; ssh will be open to {', '.join(networks)} only; "
            "run from there, or add the range to the site of kind noc"
        )
    return problems


def judge_entries(entries: list[dict[str, Any]], today: date) -> tuple[list[str], list[str]]:
    """(problems, warnings) of the accounts that become root without a password: each has its date."""
    problems, warnings = [], []
    for entry in entries:
        expires = date.fromisoformat(str(entry["expires"]))
        if expires < today:
            problems.append(
                f"users_automation: {entry['name']} expired on {expires}; an entry is reviewed by its date; "
                f"{entry['owner']} renews or removes it"
            )
        elif expires - today <= timedelta(days=WARNING_DAYS):
            warnings.append(f"users_automation: {entry['name']} expires on {expires}; owner {entry['owner']}")
    return problems, warnings


def judge(facts: dict[str, Any], wanted: dict[str, Any], now: float) -> tuple[list[str], list[str]]:
    """All problems and warnings of one node; `now` is the controller's clock in seconds."""
    system = (facts["os"]["id"], facts["os"]["version"])
    if system not in PROVEN | UNPROVEN:  # whatever else is wrong there is nobody's concern
        name = facts["os"]["name"] or " ".join(system)
        return [f"{name}; Debian 12 and 13 are supported; use one of their images"], []
    problems, warnings = judge_system(facts, wanted)
    problems += judge_access(facts, wanted)
    skew = abs(facts["clock"] - now)
    if skew > wanted["max_skew_seconds"]:
        problems.append(
            f"the node's clock is {skew:.0f} s off; signatures and logs need one time "
            f"({wanted['max_skew_seconds']} s at most); set the clock"
        )
    more, later = judge_entries(wanted["automation_entries"], date.fromtimestamp(now))
    return problems + more, warnings + later


class ActionModule(ActionBase):
    """`preflight: {login, allow_groups, login_group, people, automation, …}`: one trip and one login."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Read the node, judge it, fail with every problem at once."""
        super().run(tmp, task_vars)
        args = self._task.args
        login = str(args["login"])
        timeout = int(args.get("proof_timeout", 20))
        # The login needs none of the facts, so both are under way at once.
        with ThreadPoolExecutor(max_workers=1) as beside:
            login_fails = self._login_fails(task_vars or {}, timeout, beside)
            facts = self._execute_module(
                module_name="node_probe",
                module_args={"login": login, "wait": int(args.get("wait", 120))},
                task_vars=task_vars,
            )
            # Before the wait for the login, which would count as the node's clock being off.
            now = time.time()
        if facts.get("failed"):
            return facts
        wanted = {
            "login": login,
            "login_group": args["login_group"],
            "allow_groups": args["allow_groups"],
            "people": [p["name"] for p in args.get("people") or []],
            "automation": [e["name"] for e in args.get("automation") or []],
            "automation_entries": args.get("automation") or [],
            "admin_networks": args.get("admin_networks") or [],
            "min_free_mb": int(args.get("min_free_mb", 500)),
            "min_free_inodes": int(args.get("min_free_inodes", 5000)),
            "max_skew_seconds": int(args.get("max_skew_seconds", 60)),
        }
        problems, warnings = judge(facts, wanted, now)
        # What is known to be wrong explains itself; a login that fails for another reason is found here.
        if not problems and (failure := login_fails()):
            problems.append(
                f"{failure}; whoever is in must be able to come again before anything is changed; "
                f"repair the login of {login} on the node"
            )
        host = (task_vars or {}).get("inventory_hostname", "node")
        result: dict[str, Any] = {"changed": False, "failed": bool(problems), "problems": problems}
        result["msg"] = (
            "; nothing was changed. ".join([*(f"{host}: {p}" for p in problems), ""]).strip() or "fit"
        )
        result["warnings"] = [f"{host}: {w}" for w in warnings]
        return result

    def _login_fails(
        self, task_vars: dict[str, Any], timeout: int, beside: ThreadPoolExecutor
    ) -> Callable[[], str]:
        """Begin a login of its own; ask what is given for why it does not become root: empty when it does."""
        proof = action_loader.get("guarded_change", class_only=True).beside(self, "prove_access")
        try:
            attempt = proof.prepared(task_vars, None, [])
        except AnsibleError as error:
            said = str(error)
            return lambda: said
        under_way = beside.submit(attempt, timeout)

        def failure() -> str:
            said = under_way.result()
            return str(said["msg"]) if said.get("failed") else ""

        return failure
