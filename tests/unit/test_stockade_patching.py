"""The node's patching program: window, holds, replaced code and the judgement about a reboot, as tables."""

from __future__ import annotations

import importlib.machinery
import importlib.util
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "roles/patching/files/stockade-patching"


def _load():
    loader = importlib.machinery.SourceFileLoader("stockade_patching", str(PROGRAM))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


patching = _load()


@pytest.mark.parametrize(
    ("moment", "zone", "inside"),
    [
        (datetime(2026, 11, 22, 1, 0, tzinfo=UTC), "Etc/UTC", True),
        (datetime(2026, 11, 22, 3, 59, tzinfo=UTC), "Etc/UTC", True),
        (datetime(2026, 11, 22, 4, 0, tzinfo=UTC), "Etc/UTC", False),
        (datetime(2026, 11, 22, 0, 59, tzinfo=UTC), "Etc/UTC", False),
        (datetime(2026, 11, 23, 2, 0, tzinfo=UTC), "Etc/UTC", False),
        # Sunday 01:00 in Kolkata is Saturday 19:30 in UTC.
        (datetime(2026, 11, 21, 19, 30, tzinfo=UTC), "Asia/Kolkata", True),
        (datetime(2026, 11, 22, 2, 0, tzinfo=UTC), "Asia/Kolkata", False),
    ],
)
def test_the_window_is_judged_in_its_own_time_zone(moment, zone, inside):
    assert patching.in_window("Sun 01:00-04:00", zone, moment) is inside


@pytest.mark.parametrize("window", ["Sunday 01:00-04:00", "Sun 1:00-4:00", "", "Sun 01:00"])
def test_a_window_that_cannot_be_read_is_wrong_use(window):
    with pytest.raises(patching.Refused) as refused:
        patching.in_window(window, "Etc/UTC", datetime.now(UTC))
    assert refused.value.code == 2
    assert repr(window) in str(refused.value)


TODAY = date(2026, 11, 21)


@pytest.mark.parametrize(
    ("declared", "ours", "held", "expected"),
    [
        ([("a", "2026-11-21")], set(), set(), ({"a"}, set())),
        ([("a", "2026-11-20")], {"a"}, {"a"}, (set(), {"a"})),
        ([], {"a"}, {"a"}, (set(), {"a"})),
        ([("a", "2027-01-01")], {"a"}, {"a"}, (set(), set())),
        # A hold that somebody set by hand is theirs to lift.
        ([], set(), {"b"}, (set(), set())),
        # Lifted by hand although declared: it comes back.
        ([("a", "2027-01-01")], {"a"}, set(), ({"a"}, set())),
    ],
)
def test_holds_follow_the_declaration_and_its_last_day(declared, ours, held, expected):
    holds = [{"name": name, "reason": "x", "until": until} for name, until in declared]
    assert patching.plan_holds(holds, ours, held, TODAY) == expected


@pytest.mark.parametrize(
    ("maps", "replaced"),
    [
        ("7f0 r-xp 0 08:01 12 /usr/lib/x86_64-linux-gnu/libssl.so.3 (deleted)", True),
        ("7f0 r-xp 0 08:01 12 /usr/lib/x86_64-linux-gnu/libssl.so.3", False),
        ("7f0 r--p 0 08:01 12 /usr/lib/locale/locale-archive (deleted)", False),
        ("7f0 rwxp 0 00:01 12 /memfd:jit (deleted)", False),
        ("7f0 r-xp 0 00:01 12 /dev/shm/x (deleted)", False),
        ("7f0 r-xp 0 08:01 12 /opt/with space/bin (deleted)", True),
        ("7f0 r-xp 0 00:00 0 [vdso]", False),
        ("", False),
    ],
)
def test_only_executed_code_that_is_gone_from_disk_counts(maps, replaced):
    assert patching.replaced_code(maps) is replaced


def _record(causes, boot, cured=True):
    return {"causes": causes, "since": "then", "boot_id": boot, "cured_by_reboot": cured}


@pytest.mark.parametrize(
    ("found", "before", "boot", "expected"),
    [
        ([], None, "b1", None),
        ([], _record(["k"], "b1"), "b2", None),
        (["k"], None, "b1", {"causes": ["k"], "since": "now", "boot_id": "b1", "cured_by_reboot": True}),
        (["k"], _record(["k"], "b1"), "b1", _record(["k"], "b1")),
        # The same cause after a boot: another boot would not help.
        (["k"], _record(["k"], "b1"), "b2", _record(["k"], "b1", cured=False)),
        (["k"], _record(["k"], "b1", cured=False), "b3", _record(["k"], "b1", cured=False)),
        # A different cause is a new reason.
        (
            ["l"],
            _record(["k"], "b1"),
            "b2",
            {"causes": ["l"], "since": "now", "boot_id": "b2", "cured_by_reboot": True},
        ),
    ],
)
def test_a_cause_that_survives_a_boot_asks_for_no_second_one(found, before, boot, expected):
    assert patching.judge(found, before, boot, "now") == expected


@pytest.mark.parametrize(
    ("policy", "record", "wanted"),
    [
        ("when_required", _record(["k"], "b"), True),
        ("when_required", _record(["k"], "b", cured=False), False),
        ("when_required", None, False),
        ("never", _record(["k"], "b"), False),
    ],
)
def test_a_reboot_needs_policy_and_reason(policy, record, wanted):
    assert patching.wants_reboot({"reboot": policy}, record) is wanted


def test_wrong_use_says_how_it_is_used(capsys):
    assert patching.main(["now"]) == 2
    assert "stockade-patching apply" in capsys.readouterr().err


def test_a_missing_configuration_is_one_line_that_names_it(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(patching, "CONFIGURATION", tmp_path / "patching.json")
    assert patching.main(["reason"]) == 2
    said = capsys.readouterr().err
    assert str(tmp_path / "patching.json") in said
    assert said.count("\n") == 1
