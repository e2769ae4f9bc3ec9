"""The proof itself, broken on purpose: a text of our own source is replaced, and a named test turns red.

`tests/mutation/weaknesses/proof.yaml` lists what is broken. Tests are collected once; each weakening is put
into a forked copy of that process, so it costs what its tests cost: the code of the functions that differ is
exchanged where it stands, whoever holds them, and so are plain values of the module.
"""

from __future__ import annotations

import importlib
import inspect
import io
import json
import os
import sys
import tempfile
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

import pytest
import yaml
from pydantic import BaseModel

ROOT = Path(__file__).resolve().parents[2]
LISTED = Path(__file__).with_name("weaknesses") / "proof.yaml"
SENT = "verify/agent.py"
OFF = ("cacheprovider", "xdist", "hypothesispytest")
STARTS_WORKERS = (
    "tests/unit/test_verify_fail_closed.py::test_a_test_that_kills_its_process_costs_its_node_only",
    "tests/unit/test_verify_inventory.py::test_tests_that_a_plug_in_left_out_are_said",
    "tests/unit/test_verify_inventory.py::test_a_test_that_is_run_again_until_it_passes_turns_the_run_red",
)
_PLAIN = (str, int, float, bool, tuple, frozenset, dict, type(None))


@dataclass(frozen=True)
class Weakening:
    """One text of one file, what it becomes, and the tests that have to see it."""

    name: str
    file: str
    old: str
    new: str
    red: tuple[str, ...]


def weakenings() -> list[Weakening]:
    """Everything that is listed, in its order."""
    listed = yaml.safe_load(LISTED.read_text())
    return [Weakening(**{**one, "name": name, "red": tuple(one["red"])}) for name, one in listed.items()]


def weaken(one: Weakening) -> None:
    """Exchange the text in this process. Raises ValueError when it is not there exactly once."""
    path = ROOT / one.file
    text = path.read_text()
    if text.count(one.old) != 1:
        raise ValueError(f"{one.name}: `{one.old}` stands {text.count(one.old)} times in {one.file}")
    module = importlib.import_module(one.file.removesuffix(".py").replace("/", "."))
    weaker = text.replace(one.old, one.new)
    if one.file == SENT:  # nodes get it as text
        sent = Path(tempfile.mkdtemp()) / path.name
        sent.write_text(weaker)
        module.__file__ = str(sent)
        return
    broken = types.ModuleType(module.__name__)
    broken.__dict__.update({"__file__": str(path), "__package__": module.__package__})
    whole = compile(weaker, str(path), "exec")
    exec(whole, broken.__dict__)
    if not _exchange_functions(module, compile(text, str(path), "exec"), whole):
        _exchange_values(module, broken)


def _exchange_functions(module: types.ModuleType, before: types.CodeType, after: types.CodeType) -> bool:
    """Give every function whose code differs the other code, whoever holds it; whether there was one."""
    known = {(code.co_qualname, code.co_firstlineno): code for code in _codes(before)}
    changed = {
        code.co_qualname: code
        for code in _codes(after)
        if known.get((code.co_qualname, code.co_firstlineno)) != code
    }
    for function in _functions(module):
        function.__code__ = changed.get(function.__code__.co_qualname, function.__code__)
    return bool(changed)


def _functions(module: types.ModuleType) -> Iterator[types.FunctionType]:
    """The functions that a module defines, and those of its classes, under whatever they are wrapped in."""
    classes = [thing for thing in vars(module).values() if isinstance(thing, type)]
    for holder in (module, *(found for found in classes if found.__module__ == module.__name__)):
        for thing in vars(holder).values():
            inner = getattr(thing, "fget", None) or inspect.unwrap(getattr(thing, "__func__", thing))
            if isinstance(inner, types.FunctionType) and inner.__module__ == module.__name__:
                yield inner


def _exchange_values(module: types.ModuleType, broken: types.ModuleType) -> None:
    """What a module says outside of functions: its plain values, and what its models ask for."""
    for name, value in vars(broken).items():
        mine: Any = vars(module).get(name)
        if isinstance(value, _PLAIN) and not name.startswith("__") and mine != value:
            setattr(module, name, value)
        elif isinstance(value, type) and issubclass(value, BaseModel) and mine.__module__ == module.__name__:
            mine.__pydantic_validator__ = value.__pydantic_validator__


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """Every function of a module, those inside classes too; not those inside functions."""
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            if constant.co_flags & 0x2:  # has locals of its own: a function and no class
                yield constant
            else:
                yield from _codes(constant)


@dataclass(frozen=True)
class Outcome:
    """How the tests of one weakening ended, and what they said."""

    failed: frozenset[str]
    passed: frozenset[str]
    said: str


class _Forked:
    """Collects every test once, and runs those of each weakening in a copy of its own."""

    def __init__(self, listed: list[Weakening], told: IO[str]) -> None:
        self._listed, self._told = listed, told

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        for one in (None, *self._listed):
            wanted = _unbroken(self._listed) if one is None else set(one.red)
            items = [item for item in session.items if {item.nodeid, item.nodeid.split("[")[0]} & wanted]
            pid = os.fork()
            if not pid:
                _judge(one, items, self._told)
            os.waitpid(pid, 0)
        return True


class _Reports:
    """What pytest tells of each test."""

    def __init__(self) -> None:
        self.failed: dict[str, str] = {}
        self.passed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed[report.nodeid] = report.longreprtext
        elif report.when == "call" and report.passed:
            self.passed.add(report.nodeid)


def _unbroken(listed: list[Weakening]) -> set[str]:
    """A test of every file, and each that starts workers: one that is red by itself proves nothing."""
    of_file = {test.partition("::")[0]: test for one in listed for test in one.red}
    return {*of_file.values(), *(test for test in STARTS_WORKERS if any(test in one.red for one in listed))}


def _judge(one: Weakening | None, items: list[pytest.Item], told: IO[str]) -> NoReturn:
    """Never returns: whatever happens in the copy ends with it."""
    reports = _Reports()
    try:
        if one is not None:
            weaken(one)
        items[0].config.pluginmanager.register(reports)
        for item in items:
            item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
            if one is not None and len(one.red) == 1 and reports.failed:
                break  # it was seen
        data = {"failed": reports.failed, "passed": sorted(reports.passed)}
    except BaseException as error:
        data = {"failed": {}, "passed": [], "error": repr(error)}
    told.write(json.dumps({"name": one.name if one else "", **data}) + "\n")
    told.flush()
    os._exit(0)


def judged(listed: list[Weakening]) -> dict[str, Outcome]:
    """The outcome of every weakening by its name; under "" that of some of their tests, with nothing broken.

    In a copy of this process, which it leaves as it is.
    """
    with tempfile.TemporaryFile("w+") as told:
        pid = os.fork()
        if not pid:
            _collect(listed, told)
        os.waitpid(pid, 0)
        told.seek(0)
        lines = [json.loads(line) for line in told]
    return {
        line["name"]: Outcome(
            frozenset(line["failed"]), frozenset(line["passed"]), line.get("error", "") or str(line["failed"])
        )
        for line in lines
    }


def _run_in_process(tester: pytest.Pytester, *arguments: str, **more: Any) -> pytest.RunResult:
    """A run in a process of its own would read the unbroken source."""
    tester.syspathinsert()
    return tester.runpytest_inprocess(*arguments, **more)


def _collect(listed: list[Weakening], told: IO[str]) -> NoReturn:
    try:
        silent = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(silent, descriptor)
        sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb", closefd=False), write_through=True)
        sys.stderr = io.TextIOWrapper(os.fdopen(2, "wb", closefd=False), write_through=True)
        os.chdir(ROOT)
        for name in [name for name in os.environ if name.startswith("PYTEST_")]:
            del os.environ[name]
        pytest.Pytester.runpytest_subprocess = _run_in_process  # type: ignore[assignment]
        files = sorted({test.partition("::")[0] for one in listed for test in one.red})
        off = [word for name in OFF for word in ("-p", f"no:{name}")]
        pytest.main([*files, "-q", f"--rootdir={ROOT}", *off], plugins=[_Forked(listed, told)])
    finally:
        os._exit(0)
