"""The catalogue: every control is whole, lies in its room, and is claimed by a test; nothing else is
claimed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from controls import Control, load
from controls.model import AREAS
from fault import Fault

ROOT = Path(__file__).resolve().parents[2]
GOOD = {
    "id": "STK-SSH-001",
    "title": "Nobody logs in by password",
    "why": "Passwords are guessed by machines all day.",
    "severity": "high",
    "layer": "access",
    "applies_to": ["nodes"],
    "rows": ["M5"],
    "provided_by": "roles/ssh_server",
    "evidence": "sshd -T",
    "rollback": "Playbook rollback; passwords are guessed.",
}


@pytest.fixture(scope="module")
def catalogue() -> dict[str, Control]:
    return load(ROOT)


def _claimed(suite: str) -> set[str]:
    text = "".join(path.read_text() for path in (ROOT / "tests" / suite).glob("test_*.py"))
    marks = re.findall(r"pytest\.mark\.control\(([^)]*)\)", text)
    return {name for mark in marks for name in re.findall(r"STK-[A-Z]{3}-\d{3}", mark)}


def _of(area: str, catalogue: dict[str, Control]) -> set[str]:
    return {name for name in catalogue if name.split("-")[1] in AREAS[area]}


def test_every_control_of_the_region_is_claimed_by_a_test(catalogue: dict[str, Control]) -> None:
    assert _claimed("cloud") == _of("region", catalogue)
    assert len(_of("region", catalogue)) >= 45


def test_node_suites_claim_controls_of_nodes_only(catalogue: dict[str, Control]) -> None:
    # Some of their marks are made from tables; that each control has a result is asserted by every run.
    assert _claimed("nodes") <= _of("node", catalogue)
    assert len(_claimed("nodes")) >= 80


def test_every_control_says_which_row_of_the_requirements_it_serves(catalogue: dict[str, Control]) -> None:
    wrong = {
        c.id: c.rows for c in catalogue.values() if not all(re.fullmatch(r"[DME]\d{1,2}", r) for r in c.rows)
    }
    assert not wrong


def test_titles_are_sentences_that_tell_controls_apart(catalogue: dict[str, Control]) -> None:
    titles = [control.title for control in catalogue.values()]
    assert len(set(titles)) == len(titles)
    assert not [title for title in titles if title.endswith(".") or not title[0].isupper()]


@pytest.mark.parametrize(
    ("change", "name", "said"),
    [
        ({"sevrity": "high"}, "STK-SSH-001", "sevrity"),
        ({"severity": "urgent"}, "STK-SSH-001", "severity"),
        ({"rows": []}, "STK-SSH-001", "rows"),
        ({"evidence": ""}, "STK-SSH-001", "evidence"),
        ({"rollback": ""}, "STK-SSH-001", "rollback"),
        ({"cadence_days": 30}, "STK-SSH-001", "belong to procedures"),
        ({"id": "SSH-1"}, "STK-SSH-001", "id"),
        ({"id": "STK-NET-001"}, "STK-NET-001", "a control lies in"),
        ({}, "STK-SSH-002", "a control lies in"),
    ],
)
def test_a_wrong_control_file_is_refused(
    tmp_path: Path, change: dict[str, object], name: str, said: str
) -> None:
    folder = tmp_path / "controls" / "catalogue" / "node"
    folder.mkdir(parents=True)
    (folder / f"{name}.yaml").write_text(yaml.safe_dump({**GOOD, **change}))
    with pytest.raises(Fault, match=said) as caught:
        load(tmp_path)
    assert caught.value.code == 2 and f"{name}.yaml" in str(caught.value)


def test_an_empty_catalogue_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="an empty catalogue proves nothing"):
        load(tmp_path)
