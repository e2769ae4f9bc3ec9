"""The pytest plugin `verify`: expected subjects from the region contract, one channel per node, fail closed.

pytest tests/nodes tests/cloud --region build/region/STACK/region.json [--inventory build/twin/inventory.yml]

Exit codes: 0 every control passes, is waived or not applicable; 1 a control failed or the run is at fault;
2 wrong use;
3 a subject could not be reached or a check could not be carried out.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from testinfra.host import Host

from controls.frameworks import load as load_frameworks
from controls.model import load as load_catalogue
from controls.waivers import load_waivers
from fault import Fault
from report import files, history, junit, summary
from report.model import Report, Status
from verify import accepted, memory
from verify.collection import check_items, expand_nodes, find_left_out, test_id
from verify.fleet import Fleet, choose, read_contract, read_fleet
from verify.inventories import read_inventory
from verify.judgement import Judgement
from verify.outcome import as_data, judge
from verify.progress import Progress
from verify.session import Reach, run_session
from verify.stated import Unstated, contract_of, expected_names
from verify.subjects import Resource

ROOT = Path(__file__).resolve().parents[1]
STATE = pytest.StashKey["State"]()


class State:
    """What one run knows; kept in pytest's config stash."""

    def __init__(self, config: pytest.Config) -> None:
        option = config.option
        found = read_inventory(option.inventory, option.limit) if option.inventory else None
        self.stated = option.region is None
        self.contract = contract(option, found)
        self.catalogue = load_catalogue(option.controls)
        self.judgement = Judgement(
            self.contract, self.catalogue, load_waivers(option.controls, self.catalogue)
        )
        self.judgement.frameworks = load_frameworks(option.controls)
        self.fleet: Fleet = read_fleet(
            self.contract, found, "the caller" if self.stated else "the region contract"
        )
        self.names = choose(self.fleet, option.nodes)
        # What a narrowed run does not look at need not be in its inventory either.
        missing = tuple(name for name in self.fleet.missing if name in self.names)
        self.fleet = replace(self.fleet, missing=missing)
        self.judgement.stated = self.stated
        if self.stated:
            self.judgement.remarks.append(
                f"no region contract: {len(self.fleet.nodes)} nodes were expected as stated; what a contract "
                "would say of them is not applicable"
            )
        if option.remark:
            self.judgement.remarks.append(option.remark)
        self.results: Path = option.results
        self.reach = Reach(self.fleet, option.patience)
        self.progress = Progress(sys.stderr)
        self.deselected = 0
        self.collected: set[str] = set()
        self.report: Report | None = None


def contract(option: Any, found: dict[str, dict[str, Any]] | None) -> dict[str, Any]:
    """The region contract, or what `--expect` and the inventory say without one. Raises Fault."""
    if option.region is not None and option.expect is not None:
        raise Fault(
            "--expect beside --region", "the region contract says which nodes are expected", "drop one"
        )
    if option.region is not None or found is None:
        return read_contract(option.region)
    return contract_of(expected_names(option.expect), found, option.inventory)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("verify")
    group.addoption("--region", type=Path, help="region contract: build/region/STACK/region.json (required)")
    group.addoption("--inventory", type=Path, help="Ansible inventory that says how nodes are reached")
    group.addoption(
        "--results", type=Path, default=ROOT / "build/report/results.json", help="where results.json goes"
    )
    group.addoption("--nodes", metavar="WORDS", help="only these: names, patterns, roles, e.g. 'edge-*,app'")
    group.addoption("--expect", metavar="NAMES", help="without --region: the nodes that have to be there")
    group.addoption("--limit", metavar="PATTERN", help="only these hosts of the inventory, as for Ansible")
    group.addoption("--aws-env", type=Path, help="file of AWS_… variables, e.g. build/twin/aws.env")
    group.addoption(
        "--controls", type=Path, default=ROOT, help="folder that holds controls/ (default: this repository)"
    )
    group.addoption("--remark", help="what a reader of the report must know first, e.g. why no node runs")
    group.addoption(
        "--at-once", type=int, default=32, help="nodes verified side by side; 0: one process, for --pdb"
    )
    group.addoption("--node-seconds", type=float, default=300, help="longest time for all tests of one node")
    group.addoption(
        "--patience", type=int, default=1, metavar="N", help="each command may take N times as long"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Wrong use ends here with one line and exit code 2."""
    option = config.option
    _take_over_xdist(option)
    if option.help or option.version or option.markers or option.showfixtures:
        return None
    if not option.collectonly:
        # A run that dies early must not leave an older, greener result behind, nor its renderings.
        option.results.unlink(missing_ok=True)
        files.clear(option.results.parent)
    try:
        _read_environment(option.aws_env)
        config.stash[STATE] = State(config)
    except Fault as fault:
        print(f"error: {fault}", file=sys.stderr)
        return fault.code
    return None


def _take_over_xdist(option: Any) -> None:
    """`-n 2`: two nodes side by side, by our own workers.

    xdist would start every worker anew, each with its own channels to all nodes, and judge in each of them.
    """
    wanted = getattr(option, "numprocesses", None)
    if wanted is None and getattr(option, "dist", "no") == "no":
        return
    option.at_once = wanted if isinstance(wanted, int) else os.cpu_count() or 1
    option.numprocesses, option.dist, option.tx = None, "no", []


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    for text in (
        "control(*ids): the controls of the catalogue that this test proves",
        "server_roles(*roles): the test runs on nodes of these server roles only",
        "tiers(*tiers): the test judges subnets of these tiers only",
    ):
        config.addinivalue_line("markers", text)
    config.pluginmanager.register(memory, "verify-memory")
    option = config.option
    if option.tbstyle == "auto" and not option.verbose:
        option.tbstyle, option.verbose, option.no_header = "short", -1, True
        option.reportchars = option.reportchars.removeprefix("fE")  # what it is when nobody asks


def _state(config: pytest.Config) -> State:
    return config.stash[STATE]


def _read_environment(path: Path | None) -> None:
    if path is None:
        return
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise Fault(
            f"--aws-env {path}: {error.strerror}", "it holds AWS_… lines", "correct the path"
        ) from error
    for line in lines:
        name, equals, value = line.removeprefix("export ").partition("=")
        if equals and (name.startswith("AWS_") or name in ("NO_PROXY", "no_proxy")):
            os.environ[name] = value.strip().strip("'\"")


# --- subjects ---


@pytest.fixture(scope="session")
def region(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The region contract (docs/contracts.md section 3)."""
    state = _state(request.config)
    return Unstated(state.contract, "no region contract, so it") if state.stated else state.contract


@pytest.fixture(scope="session")
def node(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The expected node as the region contract describes it: name, role, tier, zone, address …"""
    state = _state(request.config)
    found = state.fleet.nodes[request.param]
    return Unstated(found, "the inventory") if state.stated else found


@pytest.fixture(scope="session")
def host(request: pytest.FixtureRequest, node: dict[str, Any]) -> Host:
    """The ordinary testinfra Host of the node, as root, over its one channel."""
    return _state(request.config).reach.host(node["name"])


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    state = _state(metafunc.config)
    state.collected.add(test_id(metafunc.definition, metafunc.config.option.controls))
    expand_nodes(metafunc, state.fleet, state.names, state.catalogue, state.judgement)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A module that skips itself leaves no test behind whose result could say so."""
    report = yield
    if report.skipped and STATE in collector.config.stash:
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        _state(collector.config).judgement.fault(
            f"{collector.nodeid}: skipped as a whole: {why.removeprefix('Skipped: ')}"
        )
    return report


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    state = _state(config)
    check_items(items, state.contract, state.fleet, state.catalogue, state.judgement)


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Whatever left tests out (-k, --lf, another plug-in): the run is no proof of the whole."""
    if items and STATE in items[0].config.stash:
        _state(items[0].config).deselected += len(items)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    state = _state(session.config)
    option = session.config.option
    narrow = {
        "-k": option.keyword,
        "-m": option.markexpr,
        "--deselect": option.deselect,
        "--ignore": option.ignore,
        "--ignore-glob": option.ignore_glob,
        "--nodes": option.nodes,
    }
    reasons = [f"{key} {value}" for key, value in narrow.items() if value]
    if state.deselected and not reasons:
        reasons.append(f"{state.deselected} deselected tests")
    reasons += [arg for arg in session.config.args if not Path(arg.split("::")[0]).is_dir() or "::" in arg]
    if reasons:
        state.judgement.narrowed = True
        state.judgement.remarks.append(f"narrowed by {', '.join(reasons)}: not a proof of the whole")
    else:
        _find_silent_suites(session, state.judgement)
        suites = [Path(argument).resolve() for argument in session.config.args]
        find_left_out(suites, option.controls, state.collected, state.catalogue, state.judgement)


def _find_silent_suites(session: pytest.Session, judgement: Judgement) -> None:
    for argument in session.config.args:
        suite = Path(argument).resolve()
        if not any(suite in item.path.parents for item in session.items):
            judgement.fault(f"{argument}: no test was collected there")


# --- running ---


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    if session.config.option.collectonly:
        return None
    if session.testsfailed:
        raise session.Interrupted(
            f"{session.testsfailed} error(s) during collection: a broken suite proves nothing"
        )
    state = _state(session.config)
    if session.config.option.tbstyle in ("short", "auto"):
        # The summary and the report carry message and evidence; a trace through our own code helps nobody.
        session.config.option.tbstyle = "no"
    if session.items:
        run_session(session, state.reach, state.judgement, state.progress, session.config.option.node_seconds)
    return True


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    recorder = _state(item.config).reach.recorder
    recorder.start()
    for value in _parameters(item).values():
        if isinstance(value, Resource):
            data = json.dumps(value.data, default=str) if value.data else ""
            recorder.note(f"{value.source} → {value.id}", data)
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    outcome = judge(call.excinfo, call.when)
    if outcome is None:
        return report
    status, message = outcome
    evidence = _state(item.config).reach.recorder.text()
    cast(Any, report).stockade = as_data(status, message, evidence, call, item)
    if status in (Status.FAIL, Status.ERROR) and report.outcome != "failed":
        report.outcome, report.longrepr = "failed", message
        if hasattr(report, "wasxfail"):
            del report.wasxfail
    return report


def _parameters(item: pytest.Item) -> dict[str, Any]:
    callspec = getattr(item, "callspec", None)
    return callspec.params if callspec is not None else {}


# --- the end ---


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> Generator[None, None, None]:
    state = session.config.stash.get(STATE, None)
    done = exitstatus in (
        pytest.ExitCode.OK,
        pytest.ExitCode.TESTS_FAILED,
        pytest.ExitCode.NO_TESTS_COLLECTED,
    )
    if state is not None and done and not session.config.option.collectonly:
        session.exitstatus = _finish(state)
    yield


def _finish(state: State) -> int:
    report, folder, narrowed = state.judgement.report(), state.results.parent, state.judgement.narrowed
    try:
        report = accepted.compare(report, folder, narrowed=narrowed)
    except Fault as fault:
        report = report.model_copy(update={"faults": (*report.faults, str(fault))})
    report.save(state.results)
    history.write(history.entry_of(report, narrowed=narrowed), folder / history.FOLDER)
    junit.write(report, state.results.with_name("junit.xml"))
    state.report = report
    return report.exit_code()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    state = config.stash.get(STATE, None)
    if state is not None and state.report is not None:
        terminalreporter.ensure_newline()
        summary.show(state.report, sys.stdout)
        shown = files.shown(state.results)
        print(f"results: {shown}, junit.xml beside it; `python -m report {shown}` makes the page")
