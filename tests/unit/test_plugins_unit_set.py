"""The module `unit_set`: what it does to a unit in each state, and what it says about one that cannot run."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from plugins.module_utils import stockade_units

sys.modules["ansible.module_utils.stockade_units"] = stockade_units  # where a node finds it
from plugins.modules import unit_set  # noqa: E402

STATES = {
    "runs.service": ("loaded", "active", "enabled"),
    "stopped.service": ("loaded", "inactive", "enabled"),
    "failed.service": ("loaded", "failed", "enabled"),
    "not-at-boot.service": ("loaded", "active", "disabled"),
    "until-boot.service": ("loaded", "active", "enabled-runtime"),
    "alias.service": ("loaded", "active", "alias"),
    "static.service": ("loaded", "inactive", "static"),
    "masked.service": ("masked", "inactive", "masked"),
    "masked-runs.service": ("masked", "active", "masked"),
    "nowhere.service": ("not-found", "inactive", ""),
    "bad.service": ("bad-setting", "inactive", "enabled"),
}
ON = {"enabled": True, "state": "started"}
OFF = {"enabled": False, "state": "stopped"}


class Ended(Exception):
    """The module has said its last word."""


class Module:
    """What the module needs of Ansible's, over a service manager that knows STATES."""

    def __init__(self, units: list[str], check: bool = False, fails: str = "", **wanted: Any) -> None:
        self.params = {"enabled": None, "state": None, "read_again": False, "units": units, **wanted}
        self.check_mode, self.fails, self.did, self.said = check, fails, list[str](), dict[str, Any]()

    def run_command(self, command: list[str], check_rc: bool = False) -> tuple[int, str, str]:
        verb, names = command[1], command[command.index("--") + 1 :]
        if verb == "show":
            assert check_rc
            bad = 'LoadError=x.Bad "Unit is = bad."'
            blocks = [f"LoadState={STATES[n][0]}\n{bad}\nActiveState={STATES[n][1]}\n" for n in names]
            return 0, "\n".join(blocks), ""
        if verb == "is-enabled":
            assert not [n for n in names if STATES[n][0] == "not-found"], "its answer has no line for these"
            return 1, "".join(f"{STATES[n][2]}\n" for n in names), ""
        self.did.append(f"{verb} {' '.join(names)}")
        return (1, "", "Job failed.\nSee there.") if verb == self.fails else (0, "", "")

    def exit_json(self, **said: Any) -> None:
        self.said = said
        raise Ended

    def fail_json(self, **said: Any) -> None:
        self.said = {"failed": True, **said}
        raise Ended


def run(monkeypatch: pytest.MonkeyPatch, *units: str, **wanted: Any) -> Module:
    module = Module(list(units), **wanted)
    monkeypatch.setattr(unit_set, "AnsibleModule", lambda **_: module)
    with pytest.raises(Ended):
        unit_set.main()
    return module


@pytest.mark.parametrize(
    ("name", "wanted", "did"),
    [
        ("runs", ON, []),
        ("stopped", ON, ["start stopped.service"]),
        ("failed", ON, ["start failed.service"]),
        ("not-at-boot", ON, ["enable not-at-boot.service"]),
        ("until-boot", ON, ["enable until-boot.service"]),
        ("alias", ON, ["enable alias.service"]),
        ("static", ON, ["start static.service"]),
        ("stopped", {"enabled": True}, []),
        ("not-at-boot", {"state": "started"}, []),
        ("runs", {"state": "restarted"}, ["restart runs.service"]),
        ("stopped", {"state": "restarted"}, ["restart stopped.service"]),
        ("runs", OFF, ["disable runs.service", "stop runs.service"]),
        ("until-boot", OFF, ["disable until-boot.service", "stop until-boot.service"]),
        ("failed", {"state": "stopped"}, []),
        ("static", OFF, []),
        ("masked", OFF, []),
        ("masked-runs", OFF, ["stop masked-runs.service"]),
        ("nowhere", OFF, []),
    ],
)
def test_only_what_is_missing_is_done_and_a_check_says_the_same(
    monkeypatch: pytest.MonkeyPatch, name: str, wanted: dict[str, Any], did: list[str]
) -> None:
    module = run(monkeypatch, f"{name}.service", **wanted)
    assert (module.did, module.said["changed"], module.said["steps"]) == (did, bool(did), did)
    assert [d["prepared"] for d in module.said["diff"]] == [f"{step}\n" for step in did]
    check = run(monkeypatch, f"{name}.service", check=True, **wanted)
    assert (check.did, check.said) == ([], module.said)


def test_several_units_are_one_call_per_verb(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("stopped.service", "runs.service", "failed.service", "not-at-boot.service", "stopped.service")
    assert run(monkeypatch, *names, **ON).did == [
        "enable not-at-boot.service",
        "start stopped.service failed.service",
    ]


@pytest.mark.parametrize("wanted", [{"enabled": True}, {"state": "started"}, {"state": "restarted"}])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere.service", ("nowhere.service is not on the node", "install it")),
        ("masked.service", ("masked.service is masked", "systemctl unmask masked.service")),
        ("bad.service", ("bad.service cannot be read: Unit is = bad.", "correct its file")),
    ],
)
def test_what_cannot_run_is_refused_before_anything_is_done(
    monkeypatch: pytest.MonkeyPatch, name: str, words: tuple[str, ...], wanted: dict[str, Any]
) -> None:
    module = run(monkeypatch, "stopped.service", name, **wanted)
    assert module.said["failed"]
    assert not module.did
    assert all(word in module.said["msg"] for word in words)
    assert "\n" not in module.said["msg"]


def test_a_check_of_a_blank_node_lacks_units_and_finds_masked_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = run(monkeypatch, "nowhere.service", check=True, **ON)
    assert module.said["steps"] == ["enable nowhere.service", "start nowhere.service"]
    assert run(monkeypatch, "nowhere.service", "masked.service", check=True, **ON).said["failed"]


def test_a_command_that_fails_is_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    module = run(monkeypatch, "not-at-boot.service", "stopped.service", fails="enable", **ON)
    assert module.did == ["enable not-at-boot.service"]
    assert "`systemctl enable not-at-boot.service` fails (1): Job failed. See there.;" in module.said["msg"]


@pytest.mark.parametrize("name", ["chrony", "", "--all", "a b.service", "*.service", "a.service;true"])
def test_only_whole_names_are_units(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    module = run(monkeypatch, name, **ON)
    assert module.said["failed"]
    assert f"{name!r} is no unit's name" in module.said["msg"]


def test_units_are_read_again_before_they_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit_set, "read_again", lambda module: module.did.append("read again"))
    assert run(monkeypatch, "stopped.service", read_again=True, **ON).did == [
        "read again",
        "start stopped.service",
    ]
    assert run(monkeypatch, "stopped.service", **ON).did == ["start stopped.service"]
