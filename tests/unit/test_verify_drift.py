"""Drift: what differs from the accepted run, on which subject, and since which run."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fault import Fault
from report import history
from report.model import ControlSummary, Report, Result, Run, Status, Subject
from tests.unit import report_sample as sample
from verify import accepted, drift, witness
from verify.__main__ import command

START = datetime(2027, 3, 1, 9, tzinfo=UTC)
NODE, REGION = "STK-SSH-001", "STK-BKT-001"


def run_of(hours: int, outcomes: dict[tuple[str, str], Status], scope: str = "region and nodes") -> Report:
    """A run that started so many hours after START."""
    controls = sorted({control for control, _ in outcomes})
    return Report(
        run=Run(
            stack="t",
            region="ap-south-1",
            account="1",
            started=START + timedelta(hours=hours),
            seconds=1,
            commit="c",
            scope=scope,  # type: ignore[arg-type]
            catalogue="same",
        ),
        subjects=tuple(
            Subject(id=name, kind="resource", group="x") for name in sorted({s for _, s in outcomes})
        ),
        controls=tuple(
            ControlSummary(
                id=c, title="A state", why="else", severity="low", layer="os", rows=(), references=()
            )
            for c in controls
        ),
        results=tuple(
            Result(control=c, subject=s, status=status, message="", seconds=0, test="t")
            for (c, s), status in outcomes.items()
        ),
        region={},
    )


def take(report: Report, folder: Path, *, narrowed: bool = False) -> Report:
    """What the plug-in does at the end of a run."""
    compared = accepted.compare(report, folder, narrowed=narrowed)
    compared.save(folder / "results.json")
    history.write(history.entry_of(compared, narrowed=narrowed), folder / history.FOLDER)
    return compared


GOOD = {(NODE, "edge-a-1"): Status.PASS, (NODE, "edge-b-1"): Status.PASS, (REGION, "bucket/x"): Status.PASS}
BROKEN = GOOD | {(NODE, "edge-a-1"): Status.FAIL}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A report folder whose first run is accepted."""
    take(run_of(0, GOOD), tmp_path)
    accepted.accept(tmp_path / "results.json")
    return tmp_path


def seen(report: Report) -> list[tuple[str, str | None, str | None, float]]:
    """Changes as subject, before, after and hours since START."""
    return [(c.subject, c.before, c.after, (c.since - START).total_seconds() / 3600) for c in report.changes]


def test_nothing_differs_from_the_same_outcomes(folder: Path) -> None:
    report = take(run_of(1, GOOD), folder)
    assert report.changes == () and report.run.accepted == START


def test_a_change_keeps_the_run_that_showed_it_first(folder: Path) -> None:
    assert seen(take(run_of(1, BROKEN), folder)) == [("edge-a-1", "pass", "fail", 1)]
    assert seen(take(run_of(2, BROKEN), folder)) == [("edge-a-1", "pass", "fail", 1)]
    take(run_of(3, GOOD), folder)
    assert seen(take(run_of(4, BROKEN), folder)) == [("edge-a-1", "pass", "fail", 4)], "it was good between"


def test_a_part_of_the_suite_neither_breaks_nor_invents_a_change(folder: Path) -> None:
    take(run_of(1, BROKEN), folder)
    part = take(run_of(2, {(NODE, "edge-b-1"): Status.PASS}), folder, narrowed=True)
    nodes = take(run_of(3, {pair: s for pair, s in BROKEN.items() if pair[0] == NODE}, "nodes only"), folder)
    region = take(run_of(4, {(REGION, "bucket/x"): Status.PASS}, "region only"), folder)
    assert seen(part) == [] and seen(region) == []
    assert seen(nodes) == [("edge-a-1", "pass", "fail", 1)]
    assert seen(take(run_of(5, BROKEN), folder)) == [("edge-a-1", "pass", "fail", 1)]


def test_a_pair_that_is_gone_or_new_is_a_change(folder: Path) -> None:
    outcomes = {pair: status for pair, status in GOOD.items() if pair[1] != "edge-b-1"}
    report = take(run_of(1, outcomes | {(NODE, "edge-c-1"): Status.PASS}), folder)
    assert seen(report) == [("edge-b-1", "pass", None, 1), ("edge-c-1", None, "pass", 1)]


def test_only_a_whole_run_that_can_be_believed_is_accepted(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    with pytest.raises(Fault, match="verify first"):
        accepted.accept(results)
    run_of(0, GOOD).save(results)
    with pytest.raises(Fault, match="has no record"):
        accepted.accept(results)
    take(run_of(0, GOOD), tmp_path, narrowed=True)
    with pytest.raises(Fault, match="judged a part only"):
        accepted.accept(results)
    take(run_of(1, GOOD | {(NODE, "edge-a-1"): Status.ERROR}), tmp_path)
    with pytest.raises(Fault, match="not to be believed: 1 errors"):
        accepted.accept(results)
    take(run_of(2, GOOD).model_copy(update={"faults": ("edge-z-1 is missing",)}), tmp_path)
    with pytest.raises(Fault, match="edge-z-1 is missing"):
        accepted.accept(results)
    take(run_of(3, BROKEN), tmp_path)
    with pytest.raises(Fault, match="for a stated reason only"):
        accepted.accept(results, " ")
    assert accepted.accept(results, "known since the audit").outcomes[NODE]["edge-a-1"] == "fail"


def test_a_record_that_is_none_is_named(folder: Path) -> None:
    (folder / "history" / "0.json").write_text("{}")
    with pytest.raises(Fault, match=r"history/0\.json"):
        accepted.compare(run_of(1, GOOD), folder, narrowed=False)
    (folder / "accepted.json").write_text("{}")
    with pytest.raises(Fault, match=r"accepted\.json"):
        accepted.compare(run_of(1, GOOD), folder, narrowed=False)


def test_a_record_is_small_and_the_oldest_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST", 3)
    for hours in range(5):
        path = history.write(history.entry_of(run_of(hours, BROKEN), narrowed=False), tmp_path)
    assert len(list(tmp_path.glob("*.json"))) == 3 and path.exists()
    entries = history.read(tmp_path, "t")
    assert [entry.started.hour for entry in entries] == [11, 12, 13]
    assert entries[-1].red == ((NODE, "edge-a-1", Status.FAIL),)
    assert history.read(tmp_path, "another") == []


def test_drift_without_an_accepted_run_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="no run is accepted") as caught:
        command(["drift", "--results", str(tmp_path / "results.json")])
    assert caught.value.code == 2


@pytest.mark.parametrize("given", [[], ["wavers"], ["drift", "--regoin", "x"], ["accept", "--results"]])
def test_wrong_use_is_one_line(given: list[str]) -> None:
    with pytest.raises(Fault) as caught:
        command(given)
    assert caught.value.code == 2 and "\n" not in str(caught.value)


# --- the second witness ---

PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - name: A file has its content
      ansible.builtin.copy: {dest: "%(folder)s/f", content: "psk = swordfish-0\\n", mode: "0600"}
    - name: A secret file has its content
      ansible.builtin.copy: {dest: "%(folder)s/g", content: "quite-secret\\n", mode: "0600"}
      no_log: true
    - name: A thing that holds
      ansible.builtin.file: {path: "%(folder)s", state: directory}
"""


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An inventory of one local host."""
    monkeypatch.setenv("ANSIBLE_LOCAL_TEMP", str(tmp_path / "local"))
    monkeypatch.setenv("ANSIBLE_REMOTE_TEMP", str(tmp_path / "remote"))
    monkeypatch.setenv("ANSIBLE_BECOME", "false")
    path = tmp_path / "hosts.yml"
    path.write_text("all: {hosts: {here: {ansible_connection: local}}}\n")
    return path


def test_the_roles_say_what_they_would_change_and_no_secret(tmp_path: Path, hosts: Path) -> None:
    playbook = tmp_path / "play.yml"
    playbook.write_text(PLAYBOOK % {"folder": tmp_path})
    found = witness.ask(playbook, hosts, tmp_path / "log")
    assert [(d.node, d.task) for d in found] == [
        ("here", "A file has its content"),
        ("here", "A secret file has its content"),
    ]
    assert "+psk = [redacted]" in found[0].text
    assert not (tmp_path / "f").exists(), "check mode changes nothing"
    written = json.dumps([vars(d) for d in found]) + (tmp_path / "log").read_text()
    assert "swordfish" not in written and "quite-secret" not in written


INTERRUPTED = {
    "fails": ("here: {ansible_connection: local}", "[{name: X, fail: {msg: broken}}]", "here: X: broken", 1),
    "lost": ("far: {ansible_host: 127.0.0.1, ansible_port: 9}", "[{ping: }]", "far out of reach", 3),
    "nobody": ("", "[]", "ended with", 1),
}


@pytest.mark.parametrize("case", INTERRUPTED)
def test_a_witness_that_was_interrupted_is_no_witness(tmp_path: Path, hosts: Path, case: str) -> None:
    inventory, tasks, said, code = INTERRUPTED[case]
    hosts.write_text(f"all: {{hosts: {{{inventory}}}}}\n")
    playbook = tmp_path / "play.yml"
    playbook.write_text(f"- hosts: all\n  gather_facts: false\n  tasks: {tasks}\n")
    with pytest.raises(Fault, match=said) as caught:
        witness.ask(playbook, hosts, tmp_path / "log")
    assert caught.value.code == code


def test_a_node_that_the_playbook_leaves_out_is_named(tmp_path: Path, hosts: Path) -> None:
    """Verified, and never asked by the roles: `0 things would change` would be said of it as well."""
    hosts.write_text("all: {vars: {ansible_connection: local}, hosts: {here: , there: }}\n")
    playbook = tmp_path / "play.yml"
    playbook.write_text("- hosts: here\n  gather_facts: false\n  tasks: [{meta: noop}, {debug: }]\n")
    assert witness.ask(playbook, hosts, tmp_path / "log", {"here"}) == []
    with pytest.raises(Fault, match="there not asked"):
        witness.ask(playbook, hosts, tmp_path / "log", {"here", "there"})


def test_drift_leaves_a_report_beside_its_results(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run clears the older page; who looks for what changed finds it on the new one."""
    inventory, asked = folder / "hosts.yml", []
    inventory.write_text("all: {hosts: {vm1: {stockade_node: edge-a-1}, vm2: {stockade_node: edge-z-1}}}\n")

    def verified(_wanted: drift.Wanted) -> int:
        report = run_of(1, BROKEN)
        nodes = (s.model_copy(update={"kind": "node"}) if "/" not in s.id else s for s in report.subjects)
        take(report.model_copy(update={"subjects": tuple(nodes), "region": sample.report().region}), folder)
        return 1

    def told(*arguments: object) -> list[witness.Difference]:
        asked.append(arguments[-1])
        return []

    monkeypatch.setattr(drift, "_verify", verified)
    monkeypatch.setattr(drift, "ask", told)
    given = ["drift", "--results", str(folder / "results.json"), "--inventory", str(inventory)]
    assert command(given) == 1
    assert asked == [{"vm1"}], "by the inventory's own names, and only what was judged"
    assert f"report: {folder / 'index.html'}" in capsys.readouterr().out
    page = (folder / "index.html").read_text()
    assert "edge-a-1" in page and (folder / "summary.html").exists()
