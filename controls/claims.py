"""Which tests claim which controls, read from the tests themselves, and written into the control files.

`verified_by` of a control file equals the tests that carry its id in a `control` mark. The tests are
imported, not searched as text: marks that are made from tables count, marks in comments do not.
"""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from controls.model import Control
from fault import Fault

SUITES = ("nodes", "cloud", "procedures")
_BLOCK = re.compile(r"^verified_by:.*\n(?:(?:[ \t]+.*|- .*)\n)*", re.MULTILINE)


def claims(root: Path) -> dict[str, tuple[str, ...]]:
    """Control id → tests that claim it (`tests/<suite>/<file>.py::<function>`), sorted.

    Raises Fault when a suite cannot be imported: an unread test would make an orphan of its control.
    """
    found: dict[str, set[str]] = {}
    for suite in SUITES:
        for path in sorted((root / "tests" / suite).glob("test_*.py")):
            for name, controls in _claimed(_load(path, root)):
                for control in controls:
                    found.setdefault(control, set()).add(f"{path.relative_to(root)}::{name}")
    return {control: tuple(sorted(tests)) for control, tests in sorted(found.items())}


def _load(path: Path, root: Path) -> ModuleType:
    name = "claims_of." + ".".join(path.relative_to(root).with_suffix("").parts)
    specification = importlib.util.spec_from_file_location(name, path)
    if specification is None or specification.loader is None:
        raise Fault(f"{path} is no module", "a suite is made of Python files", "correct the name")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module  # dataclasses and annotations look their module up
    try:
        specification.loader.exec_module(module)
    except Exception as error:
        raise Fault(
            f"{path.relative_to(root)} cannot be imported: {error}",
            "claims are read from every test",
            "correct the file",
        ) from error
    finally:
        del sys.modules[name]
    return module


def _claimed(module: ModuleType) -> Iterator[tuple[str, list[str]]]:
    """Name and control ids of every test of a module, also of those inside classes."""
    whole = _marked(getattr(module, "pytestmark", []))
    for name, thing in vars(module).items():
        if name.startswith("test_") and inspect.isfunction(thing):
            yield name, [*whole, *_marked(getattr(thing, "pytestmark", []))]
        elif name.startswith("Test") and inspect.isclass(thing):
            outer = [*whole, *_marked(getattr(thing, "pytestmark", []))]
            for inner, method in vars(thing).items():
                if inner.startswith("test_"):
                    yield f"{name}::{inner}", [*outer, *_marked(getattr(method, "pytestmark", []))]


def _marked(marks: object) -> list[str]:
    """Ids of `control` marks, those of single cases of a parametrised test included."""
    found: list[str] = []
    for one in marks if isinstance(marks, list) else [marks]:
        mark: Any = getattr(one, "mark", one)  # a decorator at module level still wraps its mark
        if mark.name == "control":
            found += map(str, mark.args)
        elif mark.name == "parametrize":
            cases = mark.args[1] if len(mark.args) > 1 else mark.kwargs["argvalues"]
            for case in cases:
                found += _marked(list(getattr(case, "marks", [])))
    return found


def orphans(root: Path, catalogue: dict[str, Control]) -> list[str]:
    """One line for each control without a test, claim without a control, and file that says otherwise."""
    claimed = claims(root)
    lines = [f"{name}: no test claims it" for name in catalogue if name not in claimed]
    lines += [
        f"{name}: claimed by {', '.join(tests)}, not in the catalogue"
        for name, tests in claimed.items()
        if name not in catalogue
    ]
    for name, control in catalogue.items():
        if name in claimed and control.verified_by != claimed[name]:
            lines.append(f"{name}: its file names other tests than those that claim it")
    return lines


def write(root: Path, catalogue: dict[str, Control]) -> list[Path]:
    """Write `verified_by` of every control file that says otherwise; the files that changed."""
    claimed = claims(root)
    changed = []
    for path in sorted((root / "controls" / "catalogue").glob("*/*.yaml")):
        control = catalogue[path.stem]
        tests = claimed.get(control.id, ())
        if control.verified_by != tests:
            text = _BLOCK.sub("", path.read_text())
            block = "".join(f"  - {test}\n" for test in tests)
            path.write_text(text.rstrip("\n") + "\n" + (f"verified_by:\n{block}" if tests else ""))
            changed.append(path)
    return changed
