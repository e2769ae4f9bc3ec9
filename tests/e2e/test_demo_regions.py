"""Other regions come up, are hardened and proven by naming their stack; here with one node of each role."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from controls import load
from controls.model import AREAS
from report.model import Report
from tests.conftest import require_nodes
from tests.e2e.twin_command import ROOT, twin
from twin.machines import states

ONE_OF_EACH = ("edge-a-1", "app-a-1", "archive-a-1")


@pytest.mark.parametrize("stack", ["eu-frankfurt", "in-hyderabad"])
def test_other_regions_come_up_by_naming_the_stack(stack: str, tmp_path: Path) -> None:
    """Nodes of one role differ by their zone only, and test_demo.py has several of a role side by side."""
    require_nodes()
    try:
        done = twin(tmp_path, "demo", "--stack", stack, "--nodes", "edge-a-1,app-a-*,archive")
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
        report = Report.load(tmp_path / "report" / "results.json")
        assert (report.run.stack, report.run.scope) == (stack, "region and nodes")
        assert set(states(tmp_path / "twin")) == set(ONE_OF_EACH)
        _whole_but_for_the_other_nodes(report, tmp_path / "region" / stack / "region.json")
    finally:
        twin(tmp_path, "down")


def _whole_but_for_the_other_nodes(report: Report, contract: Path) -> None:
    """A part of the fleet is told as one, and every control of the catalogue was judged for that part."""
    region = json.loads(contract.read_text())
    roles = {node["role"] for node in region["nodes"]}
    assert {node["role"] for node in region["nodes"] if node["name"] in ONE_OF_EACH} == roles
    assert any(remark.startswith("narrowed by --nodes ") for remark in report.run.remarks)
    catalogue = load(ROOT)
    judged = {(result.control, result.subject) for result in report.results}
    anywhere = {control for control, _ in judged}
    assert set(catalogue) - anywhere == set()
    on_nodes = [control for control in catalogue.values() if control.id.split("-")[1] in AREAS["node"]]
    for name in ONE_OF_EACH:
        spoken_of = {"nodes", name.split("-")[0]}
        wanted = {control.id for control in on_nodes if spoken_of & {*control.applies_to}}
        assert wanted - {control for control, subject in judged if subject == name} == set()
