"""Frameworks: every clause is answered by known controls or says why none is."""

from __future__ import annotations

from pathlib import Path

import pytest

import controls
from controls.frameworks import load
from fault import Fault

ROOT = Path(__file__).resolve().parents[2]
GOOD = """
id: x
title: A framework
version: "1"
source: https://example.org
read: "2026-11-22"
clauses:
  - {id: A-1, section: One, title: First clause, controls: [STK-SSH-*]}
  - {id: A-2, section: One, title: Second clause, reason: people do it}
"""


def put(tmp_path: Path, text: str, name: str = "x") -> Path:
    folder = tmp_path / "controls" / "frameworks"
    folder.mkdir(parents=True)
    (folder / f"{name}.yaml").write_text(text)
    return tmp_path


def test_a_pattern_stands_for_what_it_matches(tmp_path: Path) -> None:
    first, second = load(put(tmp_path, GOOD))["x"].clauses
    assert first.answered_by(["STK-SSH-001", "STK-USR-001", "STK-SSH-002"]) == ["STK-SSH-001", "STK-SSH-002"]
    assert second.answered_by(["STK-SSH-001"]) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "controls: [STK-SSH-*]",
            "controls: [STK-SSH-*], reason: both",
            "A-1: a clause has controls or a reason",
        ),
        ("A-2", "A-1", "has A-1 twice"),
        ("id: x", "id: y", "holds y"),
        ("version:", "verzion:", "Field required"),
        ("title: A framework", "title: [", "x.yaml"),
        ("section: One,", "section: One, basis: heading,", "A-2: no basis, where other clauses have one"),
        ("section: One,", "section: One, basis: hearsay,", "basis"),
        ("section: One,", "section: One, basis: not read,", "A-1: a clause that was not read has a reason"),
    ],
)
def test_a_wrong_framework_file_is_one_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(Fault) as caught:
        load(put(tmp_path, GOOD.replace(old, new, 1)))
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_every_clause_of_the_shipped_frameworks_is_answered() -> None:
    catalogue = controls.load(ROOT)
    frameworks = load(ROOT)
    assert "aws-ftr" in frameworks
    for framework in frameworks.values():
        loose = [c.id for c in framework.clauses if c.controls and not c.answered_by(catalogue)]
        assert loose == [], f"{framework.id}: no control of the catalogue matches"
        stray = [p for c in framework.clauses for p in c.controls if "*" not in p and p not in catalogue]
        assert stray == []


def test_what_was_not_read_is_said_of_each_clause() -> None:
    """Frameworks whose text was not opened tell of each clause what was read instead."""
    shipped = load(ROOT)
    basis = {name: {c.id: c.basis for c in framework.clauses} for name, framework in shipped.items()}
    for name in ("rbi-cyber-2026", "rbi-outsourcing-2025", "sebi-cloud", "irdai", "irdai-2026", "gdpr"):
        assert None not in basis[name].values(), name
    alone = [name for name, read in basis["rbi-cyber-2026"].items() if read != "heading"]
    assert len(alone) == 45, "the note says how many paragraphs were read"
    letters = [name for name, read in basis["gdpr"].items() if read == "memory"]
    assert {name.split("(")[0] for name in letters} == {"Art. 5", "Art. 28", "Art. 32"}
