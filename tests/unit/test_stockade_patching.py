"""The node's patching program: window, holds, replaced code and the judgement about a reboot, as tables."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import json
import os
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from roles.patching.files.stockade_patching import (
    changelogs,
    commands,
    holds,
    idle,
    packages,
    reboots,
    records,
    runs,
    window,
)

FILES = Path(__file__).resolve().parents[2] / "roles/patching/files"


def _load():
    loader = importlib.machinery.SourceFileLoader(
        "stockade_patching_program", str(FILES / "stockade-patching")
    )
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    # On the node the package lies beside the program; here both have to mean the same modules.
    for part in (changelogs, commands, holds, idle, packages, reboots, records, runs, window):
        sys.modules[f"stockade_patching.{part.__name__.rpartition('.')[2]}"] = part
    sys.modules["stockade_patching"] = importlib.import_module("roles.patching.files.stockade_patching")
    loader.exec_module(module)
    return module


program = _load()


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
        # London, the last Sunday of October: 01:30 comes twice, the clock goes back at 01:00 UTC.
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "Europe/London", True),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "Europe/London", True),
        (datetime(2026, 10, 25, 3, 59, tzinfo=UTC), "Europe/London", True),
        (datetime(2026, 10, 25, 4, 0, tzinfo=UTC), "Europe/London", False),
        # The last one of March has no 01:30: the window opens when the clock jumps to 02:00, at 01:00 UTC.
        (datetime(2027, 3, 28, 0, 59, tzinfo=UTC), "Europe/London", False),
        (datetime(2027, 3, 28, 1, 0, tzinfo=UTC), "Europe/London", True),
        (datetime(2027, 3, 28, 2, 59, tzinfo=UTC), "Europe/London", True),
        (datetime(2027, 3, 28, 3, 0, tzinfo=UTC), "Europe/London", False),
    ],
)
def test_the_window_is_judged_in_its_own_time_zone(moment, zone, inside):
    assert window.in_window("Sun 01:00-04:00", zone, moment) is inside


@pytest.mark.parametrize(
    "text",
    ["Sunday 01:00-04:00", "Sun 1:00-4:00", "", "Sun 01:00", "Sat 22:00-02:00", "Sun 01:00-25:00",
     "Sun 01:60-02:00", "Sun 03:00-03:00"],
)  # fmt: skip
def test_a_window_that_cannot_be_read_is_wrong_use(text):
    with pytest.raises(ValueError, match="a window is a day and two times of it") as refused:
        window.in_window(text, "Etc/UTC", datetime.now(UTC))
    assert repr(text) in str(refused.value)


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
    entries = [{"name": name, "reason": "x", "until": until} for name, until in declared]
    assert holds.plan(entries, ours, held, TODAY) == expected


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
    assert reboots.replaced_code(maps) is replaced


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
    assert reboots.judge(found, before, boot, "now") == expected


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
    assert reboots.wanted({"reboot": policy}, record) is wanted


def test_wrong_use_says_how_it_is_used(capsys):
    with pytest.raises(SystemExit) as ended:
        program.main(["now"])
    assert ended.value.code == 2
    assert "usage: stockade-patching" in capsys.readouterr().err


def test_a_missing_configuration_is_one_line_that_names_it(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(program, "CONFIGURATION", tmp_path / "patching.json")
    assert program.main(["reason"]) == 2
    said = capsys.readouterr().err
    assert str(tmp_path / "patching.json") in said
    assert said.count("\n") == 1


CHANGELOG = """\
stk-lock (1.3-1) stable-security; urgency=high

  * Fix CVE-2026-0003.

 -- Tests <t@example.org>  Sun, 22 Nov 2026 00:00:00 +0000

stk-lock (1.2-1+b1) stable-security; urgency=high, binary-only=yes

  * Fixes cve-2026-0002 and CVE-2025-12345, see CVE-2026-0002 (closes: #1).

 -- Tests <t@example.org>  Sat, 21 Nov 2026 00:00:00 +0000

stk-lock (1.1-1) stable; urgency=medium

  * CVE-2024-0001 was fixed here.

 -- Tests <t@example.org>  Fri, 20 Nov 2026 00:00:00 +0000
"""


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("1.1-1", "1.2-1+b1", ["CVE-2025-12345", "CVE-2026-0002"]),
        ("1.1-1", "1.3-1", ["CVE-2025-12345", "CVE-2026-0002", "CVE-2026-0003"]),
        # A version that never was in the changelog: everything newer than it counts.
        ("1.1-9", "1.3-1", ["CVE-2025-12345", "CVE-2026-0002", "CVE-2026-0003"]),
        ("1.0-1", "1.1-1", ["CVE-2024-0001"]),
        ("1.3-1", "1.3-1", []),
        ("1.3-1", "1.1-1", []),
    ],
)
def test_only_entries_between_the_two_versions_name_fixed_cves(before, after, expected):
    assert changelogs.between(CHANGELOG, before, after) == expected


def test_a_package_without_a_changelog_is_said_to_lack_one(monkeypatch, tmp_path):
    monkeypatch.setattr(changelogs, "DOCUMENTS", tmp_path)
    assert changelogs.fixed("stk-lock:all", "1", "2") == ([], "missing")
    (tmp_path / "stk-lock").mkdir()
    (tmp_path / "stk-lock" / "changelog").write_text(CHANGELOG)
    assert changelogs.fixed("stk-lock:all", "1.2-1+b1", "1.3-1") == (["CVE-2026-0003"], "read")


SECURITY = {
    "origin": "Debian",
    "label": "Debian-Security",
    "archive": "stable-security",
    "codename": "c",
    "site": "s",
}


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("origin=Debian,label=Debian-Security", True),
        ("o=Debian,l=Debian-Security", True),
        ("origin=Debian,label=Debian", False),
        ("origin=Debian,suite=stable-*", True),
        ("origin=Debian,flavour=x", False),
        ("", False),
    ],
)
def test_sources_fit_by_origin_and_label(pattern, fits):
    assert packages.matches(pattern, SECURITY) is fits


def test_a_command_that_does_not_end_is_ended_with_its_family():
    code, _, err = commands.attempt(("sh", "-c", "sleep 60 & wait"), 0.3)
    assert code == 124
    assert "no end within" in err


def test_a_lock_is_waited_for_and_anything_else_is_tried_again(monkeypatch):
    answers = iter(
        [(100, "", "E: Could not get lock /var/lib/dpkg/lock"), (100, "", "E: gone"), (0, "done", "")]
    )
    monkeypatch.setattr(packages, "attempt", lambda *_: next(answers))
    monkeypatch.setattr(packages, "PAUSE", 0)
    assert packages.apt("apt-get", "update", seconds=1, lock_seconds=500, tries=2) == "done"


def test_a_lock_that_is_never_let_go_is_an_error(monkeypatch):
    monkeypatch.setattr(packages, "attempt", lambda *_: (100, "", "E: Could not get lock"))
    monkeypatch.setattr(packages, "PAUSE", 0)
    with pytest.raises(commands.Refused, match="Could not get lock"):
        packages.apt("apt-get", "update", seconds=1, lock_seconds=0, tries=2)


@pytest.mark.parametrize("run", ["last", "../../etc/shadow", "20261122T013000Z/..", "20261122T013000Z-", ""])
def test_a_run_is_named_by_its_time_only(run):
    with pytest.raises(commands.Refused, match="a run is named by its time"):
        records.path(run)


def _change(name, before="1", after="2"):
    return {"name": f"{name}:all", "before": before, "after": after, "cves": []}


@pytest.mark.parametrize(
    ("changed", "installed", "wanted", "obstacle"),
    [
        ([_change("a")], {"a:all": "2"}, {"a:all": "1"}, ""),
        ([_change("a")], {"a:all": "1"}, {}, ""),
        ([_change("a", None)], {"a:all": "2"}, {}, ""),
        ([_change("a")], {"a:all": "3"}, {}, "a:all is 3 by now, the run left 2"),
        ([_change("a")], {}, {}, "a:all is gone by now"),
        ([_change("libc6")], {"libc6:all": "2"}, {}, "libc6:all never goes back"),
        ([_change("lost")], {"lost:all": "2"}, {}, "lost:all 1 is in no source any more"),
    ],
)
def test_the_way_back_is_known_or_said_to_be_missing(monkeypatch, changed, installed, wanted, obstacle):
    monkeypatch.setattr(packages, "versions", lambda: installed)
    monkeypatch.setattr(packages, "available", lambda name, _: "lost" not in name)
    found, problems = runs.way_back({"packages": changed}, ["libc6"])
    assert found == wanted
    assert obstacle in "; ".join(problems)
    assert bool(problems) is bool(obstacle)


POLICY = """\
stk-lock:
  Installed: 1.1
  Candidate: 1.1
  Version table:
 *** 1.1 500
        500 file:/srv/stk/security ./ Packages
        100 /var/lib/dpkg/status
     1.0 500
        500 file:/srv/stk/old ./ Packages
     0.9 100
        100 /var/lib/dpkg/status
"""


@pytest.mark.parametrize(("version", "there"), [("1.1", True), ("1.0", True), ("0.9", False), ("0.8", False)])
def test_a_version_is_available_from_a_source_only(monkeypatch, version, there):
    monkeypatch.setattr(packages, "run", lambda *_: POLICY)
    assert packages.available("stk-lock:all", version) is there


def test_a_run_outside_of_the_window_needs_a_reason(monkeypatch):
    configuration = {"window": "Sun 01:00-04:00", "timezone": "Etc/UTC"}
    monkeypatch.setattr(records, "now", lambda: datetime(2026, 11, 23, 2, 0, tzinfo=UTC))
    with pytest.raises(
        commands.Refused, match="it is Mon 02:00 UTC; patching happens Sun 01:00-04:00 Etc/UTC"
    ) as no:
        program.gate(configuration, "  ")
    assert no.value.code == 2
    program.gate(configuration, "CVE-2026-0001 is being used")


def test_a_hold_of_a_rollback_ends_by_itself(monkeypatch, tmp_path):
    monkeypatch.setattr(holds, "ROLLED_BACK", tmp_path / "rolled-back.json")
    holds.remember(["a"], "breaks uploads", "2026-11-30", TODAY)
    assert [hold["name"] for hold in holds.after_rollback(TODAY)] == ["a"]
    assert holds.after_rollback(date(2026, 12, 1)) == []
    assert json.loads(holds.ROLLED_BACK.read_text()) == []


@pytest.fixture
def quiet_node(monkeypatch, tmp_path):
    """A node whose sources, packages and apt settings are files here; and what apt was asked."""
    for name in ("status", "arch", "lists/security_Packages", "etc/apt.conf.d/99proxy"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("as it was")
    places = tuple(tmp_path / name for name in ("status", "arch", "lists", "etc", "gone"))
    asked: list[str] = []
    monkeypatch.setattr(idle, "FOLLOWS_FROM", places)
    monkeypatch.setattr(idle, "KEPT", tmp_path / "run" / "idle")
    monkeypatch.setattr(packages, "unsettled", list)
    monkeypatch.setattr(packages, "pending", lambda *question: asked.append(question))
    return tmp_path, asked


STATED = {"origins": ["origin=Debian"]}


def test_apt_is_asked_once_while_nothing_changes(quiet_node):
    assert [idle.idle(STATED) for _ in range(3)] == [True] * 3
    assert quiet_node[1] == [("security", STATED["origins"])]


@pytest.mark.parametrize("name", ["status", "arch", "lists/security_Packages", "etc/apt.conf.d/99proxy"])
def test_apt_is_asked_again_after_any_change_of_what_it_reads(quiet_node, name):
    folder, asked = quiet_node
    idle.idle(STATED)
    kept = (folder / name).stat()
    (folder / name).write_text("not as it")  # as long as before, and with the time of before
    os.utime(folder / name, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    assert idle.idle(STATED)
    assert len(asked) == 2


def test_apt_is_asked_again_for_another_source_and_for_a_file_that_comes_or_goes(quiet_node):
    folder, asked = quiet_node
    idle.idle(STATED)
    idle.idle({"origins": ["origin=Debian,label=Debian-Security"]})
    (folder / "lists" / "other_Packages").write_text("")
    idle.idle(STATED)
    (folder / "lists" / "other_Packages").unlink()
    idle.idle(STATED)
    assert len(asked) == 4


def test_what_is_pending_or_half_way_is_never_remembered_as_idle(quiet_node, monkeypatch):
    idle.idle(STATED)
    monkeypatch.setattr(packages, "unsettled", lambda: ["half:amd64"])
    assert not idle.idle(STATED)
    monkeypatch.setattr(packages, "unsettled", list)
    (quiet_node[0] / "status").write_text("another")
    monkeypatch.setattr(packages, "pending", lambda *_: ["one"])
    assert [idle.idle(STATED) for _ in range(2)] == [False] * 2


TABLE = """\
bash:
  Installed: 5.2-1
  Candidate: {candidate}
  Version table:
{above} *** 5.2-1 100
        100 /var/lib/dpkg/status
     5.1-9 500
        500 http://mirror/debian bookworm/main amd64 Packages
"""
NEWER = "     5.2-2 500\n        500 http://mirror/debian bookworm/main amd64 Packages\n"


@pytest.mark.parametrize(
    ("installed", "said", "code", "sure"),
    [
        ("ii bash\nrc telnet\n", TABLE.format(candidate="5.2-1", above=""), 0, True),
        ("hi bash\n", TABLE.format(candidate="5.2-2", above=NEWER), 0, False),
        # A pin may keep apt from a version that the node should have all the same.
        ("ii bash\n", TABLE.format(candidate="5.2-1", above=NEWER), 0, False),
        ("ii bash\nii unsaid\n", TABLE.format(candidate="5.2-1", above=""), 0, False),
        ("ii bash\n", TABLE.format(candidate="5.2-1", above=""), 100, False),
        ("", "", 0, False),
    ],
)
def test_nothing_is_newer_only_where_every_package_says_so(monkeypatch, installed, said, code, sure):
    monkeypatch.setattr(packages, "run", lambda *_: installed)
    monkeypatch.setattr(packages, "attempt", lambda *_: (code, said, ""))
    assert packages.nothing_newer() is sure
