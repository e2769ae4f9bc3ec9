"""The module `unit_restarted`: units are read again where they changed, and only there."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils import stockade_units

sys.modules["ansible.module_utils.stockade_units"] = stockade_units  # where a node finds it
from plugins.modules import unit_restarted  # noqa: E402


class Module:
    """What the module needs of Ansible's; keeps the commands."""

    ran: list[list[str]]

    def __init__(self, check: bool = False, unit: str | None = "a.service") -> None:
        self.check_mode, self.params, self.ran = check, {"unit": unit}, []

    def run_command(self, command: list[str], check_rc: bool) -> None:
        assert check_rc
        self.ran.append(command)

    def exit_json(self, **said: Any) -> None:
        self.said = said
        raise SystemExit(0)


RELOAD, RESTART = ["systemctl", "daemon-reload"], ["systemctl", "restart", "a.service"]


@pytest.fixture
def units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (folder := tmp_path / "systemd" / "system").mkdir(parents=True)
    (folder / "a.service").write_text("[Service]")
    monkeypatch.setattr(stockade_units, "UNITS", str(folder.parent))
    monkeypatch.setattr(stockade_units, "READ", tmp_path / "run" / "units-read")
    return folder


def run(monkeypatch: pytest.MonkeyPatch, module: Module) -> list[list[str]]:
    monkeypatch.setattr(unit_restarted, "AnsibleModule", lambda **_: module)
    with pytest.raises(SystemExit):
        unit_restarted.main()
    return module.ran


def test_the_second_restart_reads_nothing_again(units: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, Module()) == [RELOAD, RESTART]
    assert run(monkeypatch, Module()) == [RESTART]
    assert run(monkeypatch, Module(unit=None)) == []


@pytest.mark.parametrize("what", ["text", "drop-in", "gone", "link", "mode", "back in time"])
def test_whatever_changed_is_read(units: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    unit = units / "a.service"
    (units / "b.service").write_text("")
    run(monkeypatch, Module())
    match what:
        case "text":
            unit.write_text("[Service]\nNice=1")
        case "drop-in":
            (units / "a.service.d").mkdir()
            (units / "a.service.d" / "x.conf").write_text("")
        case "gone":
            (units / "b.service").unlink()
        case "link":
            (units / "b.service").unlink()
            (units / "b.service").symlink_to("/dev/null")
        case "mode":
            unit.chmod(0o600)
        case "back in time":
            (fresh := units / "new").write_text("[Service]")
            os.utime(fresh, (0, 0))
            fresh.rename(unit)
    assert run(monkeypatch, Module()) == [RELOAD, RESTART]


def test_a_check_changes_nothing(units: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = Module(check=True)
    assert run(monkeypatch, module) == []
    assert module.said == {"changed": True, "read_again": True}
    assert run(monkeypatch, Module()) == [RELOAD, RESTART]
