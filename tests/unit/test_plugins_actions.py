"""The controller's half: the new connection's command line, what it asks, and what preflight judges."""

from __future__ import annotations

import threading
import time
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from plugins.action import guarded_change, preflight, prove_access
from plugins.strategy import ahead

FACTS = {
    "os": {"id": "debian", "version": "12", "name": "Debian GNU/Linux 12 (bookworm)"},
    "python": [3, 11],
    "connection": ["172.30.10.5", "50000", "10.20.0.11", "22"],
    "groups": [],
    "free_mb": {"/": 5000, "/var": 5000},
    "free_inodes": {"/": 500_000, "/var": 500_000},
    "nologin": [],
    "sshd_refuses": "",
    "dpkg_free": True,
    "first_boot_over": True,
    "systemd": True,
    "clock": 1_800_000_000.0,
}
ENTRY = {"name": "admin", "owner": "platform", "why": "x", "expires": "2099-01-01"}
WANTED = {
    "login": "admin",
    "login_group": "ssh-users",
    "allow_groups": ["ssh-users"],
    "people": [],
    "automation": ["admin"],
    "automation_entries": [ENTRY],
    "admin_networks": ["172.30.10.0/24", "fd00:30:10::/64"],
    "min_free_mb": 500,
    "min_free_inodes": 5000,
    "max_skew_seconds": 60,
}


def problems(facts=None, wanted=None):
    """What preflight says about a node that differs from a good one."""
    return preflight.judge({**FACTS, **(facts or {})}, {**WANTED, **(wanted or {})}, 1_800_000_000.0)[0]


def test_a_good_node_is_fit():
    assert preflight.judge(FACTS, WANTED, 1_800_000_000.0) == ([], [])


@pytest.mark.parametrize(
    ("facts", "wanted", "words"),
    [
        ({"os": {"id": "fedora", "version": "41", "name": "Fedora 41"}}, {}, "Fedora 41; Debian 12 and 13"),
        ({"os": {"id": "debian", "version": "11", "name": "Debian 11"}}, {}, "Debian 11; Debian 12 and 13"),
        ({"systemd": False}, {}, "systemd is not running"),
        ({"python": [3, 7]}, {}, "Python 3.7; 3.9 or newer"),
        ({"free_mb": {"/": 5000, "/var": 90}}, {}, "90 MB free on /var"),
        ({"free_inodes": {"/": 7, "/var": 9999}}, {}, "7 inodes free on /"),
        ({"nologin": ["/run/nologin"]}, {}, "/run/nologin is there"),
        ({"sshd_refuses": "no hostkeys available"}, {}, "sshd refuses its own files: no hostkeys available"),
        ({"dpkg_free": False}, {}, "dpkg is locked"),
        ({"first_boot_over": False}, {}, "cloud-init is still running"),
        ({"clock": 1_800_000_090.0}, {}, "clock is 90 s off"),
        ({"clock": 1_800_086_400.0}, {}, "clock is 86400 s off"),
        ({"clock": 1_799_913_600.0}, {}, "clock is 86400 s off"),
        ({}, {"automation": []}, "login admin would be in none of the groups"),
        ({}, {"allow_groups": ["others"]}, "login admin would be in none of the groups"),
        ({}, {"login": "root", "people": ["root"]}, "connect as the image's own account"),
        ({}, {"admin_networks": []}, "local_firewall_admin_networks is empty"),
        ({"connection": ["192.0.2.1", "1", "10.0.0.1", "22"]}, {}, "comes from 192.0.2.1"),
        ({"connection": ["fd00:99::1", "1", "::1", "22"]}, {}, "comes from fd00:99::1"),
        ({"connection": []}, {}, "the source of this connection is unknown"),
        ({}, {"automation_entries": [{**ENTRY, "expires": "2020-01-01"}]}, "admin expired on 2020-01-01"),
    ],
)
def test_what_would_go_wrong_is_named_before_anything_changes(facts, wanted, words):
    found = problems(facts, wanted)
    assert len(found) == 1
    assert words in found[0]
    assert found[0].count(";") >= 2, "value, rule and fix"


@pytest.mark.parametrize(
    ("name", "version", "called", "python"),
    [
        ("ubuntu", "20.04", "Ubuntu 20.04.6 LTS", [3, 8]),
        ("debian", "11", "Debian GNU/Linux 11 (bullseye)", [3, 9]),
        ("rhel", "9.4", "Red Hat Enterprise Linux 9.4 (Plow)", [3, 9]),
        ("debian", "", "Debian GNU/Linux trixie/sid", [3, 13]),
    ],
)
def test_another_system_is_refused_in_one_line_whatever_else_is_wrong_there(name, version, called, python):
    facts = {"os": {"id": name, "version": version, "name": called}, "python": python, "dpkg_free": False}
    assert problems(facts) == [f"{called}; Debian 12 and 13 are supported; use one of their images"]


def test_all_problems_come_at_once():
    assert len(problems({"systemd": False, "dpkg_free": False}, {"automation": []})) == 3


@pytest.mark.parametrize(
    "source", ["172.30.10.5", "::ffff:172.30.10.5", "fd00:30:10::7", "fd00:30:10::7%eth0"]
)
def test_sources_inside_the_admin_networks_are_known(source):
    assert problems({"connection": [source, "1", "x", "22"]}) == []


def test_an_account_that_is_already_in_a_login_group_may_stay():
    assert problems({"groups": ["ssh-users"]}, {"login": "sam"}) == []


def test_an_entry_that_expires_soon_is_a_warning():
    found = preflight.judge_entries([{**ENTRY, "expires": "2027-01-20"}], date(2027, 1, 1))
    assert found == ([], ["users_automation: admin expires on 2027-01-20; owner platform"])


def test_ubuntu_is_a_warning():
    facts = {**FACTS, "os": {"id": "ubuntu", "version": "24.04", "name": "Ubuntu 24.04"}}
    found, warnings = preflight.judge(facts, WANTED, 1_800_000_000.0)
    assert found == []
    assert "not proven" in warnings[0]


def test_the_new_connection_shares_nothing_and_ours_stands_before_the_inventorys():
    command = prove_access.ssh_command(
        {
            "host": "10.20.0.11",
            "remote_user": "admin",
            "port": 2222,
            "private_key_file": "/k e y",
            "ssh_common_args": "-F 'a file' -o ControlPath=/shared",
        },
        7,
    )
    assert command[:3] == ["ssh", "-o", "ControlPath=none"]
    assert command.index("ControlPath=none") < command.index("ControlPath=/shared")
    assert "ControlMaster=no" in command
    assert "ConnectTimeout=7" in command
    assert command[-3:] == ["-l", "admin", "10.20.0.11"]
    assert "a file" in command
    assert "StrictHostKeyChecking=no" not in command, (
        "host keys are checked unless the inventory says otherwise"
    )


def test_root_needs_no_sudo_and_a_password_is_read_from_stdin_only():
    assert prove_access.as_root("root", "true") == "sh -c true"
    assert prove_access.as_root("admin", "true") == "sudo -n sh -c true"
    assert prove_access.as_root("admin", "true", with_password=True) == "sudo -S -p '' sh -c true"


def test_facts_are_asked_once_per_command_and_judged_by_line():
    expect = [
        {"command": "sshd -T", "line": "passwordauthentication no"},
        {"command": "sshd -T", "line": "permitrootlogin no"},
        {"command": "visudo -c"},
        {"command": "never asked"},
    ]
    script = prove_access.script_for(None, expect)
    assert script.count("sshd -T 2>&1") == 1
    said = (
        f"{prove_access.MARK}sshd -T\npasswordauthentication no\npermitrootlogin yes\n"
        f"{prove_access.MARK}visudo -c\nparse error\n{prove_access.MARK}failed\n"
    )
    assert prove_access.unmet(expect, said) == [
        "`sshd -T` lacks `permitrootlogin no`",
        f"`visudo -c` failed: parse error {prove_access.MARK}failed",
        f"`never asked` failed: {prove_access.MARK}failed",
    ]


def test_a_generation_is_a_number_in_the_command():
    assert prove_access.script_for(7, []) == "/usr/local/sbin/stockade-guard confirm 7"
    with pytest.raises(ValueError, match="invalid literal"):
        prove_access.script_for(cast("int", "7; reboot"), [])


@pytest.mark.parametrize(("wanted", "revert", "seconds"), [(20, 120, 20), (200, 120, 115), (20, 4, 1)])
def test_the_proof_ends_before_the_revert_begins(wanted, revert, seconds):
    assert guarded_change.proof_seconds(wanted, revert) == seconds


class Login:
    """Stands for `prove_access`: its login ends long after the node was read, as it is told to."""

    def __init__(
        self, said: str, facts_read: threading.Event, begun: threading.Event, clock: list[float]
    ) -> None:
        self._said, self._facts_read, self._begun, self._clock = said, facts_read, begun, clock

    def beside(self, _action: Any, _name: str) -> Login:
        return self

    def prepared(self, *_: Any) -> Any:
        if self._said == "no ssh":
            raise AnsibleError(self._said)

        def attempt(_timeout: int) -> dict[str, Any]:
            self._begun.set()
            assert self._facts_read.wait(120), "the facts wait for the login"
            time.sleep(0.1)
            self._clock[0] += 1000
            return {"failed": bool(self._said), "msg": self._said}

        return attempt


def preflown(monkeypatch: pytest.MonkeyPatch, said: str, **facts: Any) -> dict[str, Any]:
    """A preflight whose node has these facts, and whose login says this; both are under way at once."""
    facts_read, begun, clock = threading.Event(), threading.Event(), [1_800_000_000.0]

    def execute(*_: Any, **__: Any) -> dict[str, Any]:
        assert said == "no ssh" or begun.wait(120), "the login waits for the facts"
        facts_read.set()
        return {**FACTS, **facts}

    loader = SimpleNamespace(get=lambda *_, **__: Login(said, facts_read, begun, clock))
    monkeypatch.setattr(preflight, "action_loader", loader)
    monkeypatch.setattr(preflight, "time", SimpleNamespace(time=lambda: clock[0]))
    monkeypatch.setattr(ActionBase, "run", lambda *_: {})
    action = preflight.ActionModule.__new__(preflight.ActionModule)
    action._task = SimpleNamespace(args={**WANTED, "automation": [ENTRY]})
    action._execute_module = execute
    return action.run(task_vars={"inventory_hostname": "n1"})


@pytest.mark.parametrize("said", ["", "Permission denied", "no ssh"])
def test_a_login_is_tried_while_the_node_is_read_and_its_failure_stops_the_run(
    monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    result = preflown(monkeypatch, said)
    assert result["failed"] is bool(said)
    assert said in result["msg"]


def test_what_is_known_to_be_wrong_explains_the_login_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    result = preflown(monkeypatch, "Permission denied", nologin=["/run/nologin"])
    assert "/run/nologin" in result["msg"]
    assert "Permission denied" not in result["msg"]


def test_whatever_decides_about_access_waits_for_its_turn() -> None:
    """Each plugin that changes behind the guard, or asks for a login, is one that never runs ahead."""
    folder = Path(preflight.__file__).parent
    decides = {path.stem for path in folder.glob("*.py") if "action_loader.get(" in path.read_text()}
    assert decides | {"prove_access"} == ahead.ACCESS
