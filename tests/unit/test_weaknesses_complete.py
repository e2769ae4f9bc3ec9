"""No control of the region without a case that breaks it: what is never seen red may be unable to fail.

That a named control does turn red on its weakness is what tests/mutation proves, pair by pair; here it is
counted that none is missing, in milliseconds.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import controls

ROOT = Path(__file__).resolve().parents[2]
WEAKNESSES = sorted((ROOT / "tests/mutation/weaknesses").glob("*.py"))
CONTRACT_ONLY = ROOT / "tests/mutation/test_cloud_weakened.py"  # what the contract or the credentials break
NAMED = re.compile(r"^(?:STK-)?([A-Z]{3}-\d{3})$")
# Rows of issue 3: what a region has to answer for.
ROWS = {f"D{n}" for n in range(1, 5)} | {f"M{n}" for n in (*range(1, 5), *range(6, 15), *range(16, 29))}
ROWS |= {"M30", "M34", "M35", "M36", "E1", "E2"}
# Procedures between people: their records are judged by the verifier (controls/catalogue/procedure).
PROCEDURES = {"M1", "M34"}


def listed(tree: ast.Module) -> set[str]:
    """The functions that a file puts into its WEAKNESSES."""
    lists = [node for node in tree.body if isinstance(node, ast.AnnAssign)]
    ours = [node.value for node in lists if ast.unparse(node.target) == "WEAKNESSES"]
    return {part.id for value in ours if value for part in ast.walk(value) if isinstance(part, ast.Name)}


def weaknesses(tree: ast.Module) -> list[ast.FunctionDef]:
    """The functions that are weaknesses by their type: generators of pairs."""
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.returns is not None]
    return [node for node in found if ast.unparse(node.returns) == "Iterator[Pairs]"]  # type: ignore[arg-type]


def named(node: ast.AST) -> set[str]:
    """The controls whose ids stand in the code below a node."""
    texts = (part.value for part in ast.walk(node) if isinstance(part, ast.Constant))
    return {f"STK-{found[1]}" for text in texts if isinstance(text, str) and (found := NAMED.match(text))}


def broken() -> set[str]:
    """Every control that some weakness, or a contract that promises too much, is expected to turn red."""
    found = named(ast.parse(CONTRACT_ONLY.read_text()))
    for path in WEAKNESSES:
        for weakness in weaknesses(ast.parse(path.read_text())):
            found |= named(weakness)
    return found


def region() -> dict[str, controls.Control]:
    folder = ROOT / "controls/catalogue/region"
    return {name: c for name, c in controls.load(ROOT).items() if (folder / f"{name}.yaml").is_file()}


def test_every_control_of_the_region_is_broken_by_a_weakness() -> None:
    assert sorted(set(region()) - broken()) == []


def test_weaknesses_break_controls_that_exist() -> None:
    assert sorted(broken() - set(region())) == []


def test_every_weakness_that_is_written_is_put_in() -> None:
    for path in WEAKNESSES:
        tree = ast.parse(path.read_text())
        written = {weakness.name for weakness in weaknesses(tree)}
        assert {name for name in written if not name.startswith("_")} <= listed(tree), path.name


def test_every_row_of_the_region_has_a_control_that_passes_and_breaks() -> None:
    proven = {row for name, control in region().items() if name in broken() for row in control.rows}
    assert sorted(ROWS - PROCEDURES - proven) == []
