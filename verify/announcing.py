"""What pytest itself is told of reports that were made in other processes: little, and in a stable order."""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any

import pytest

from verify.evidence import redact

LONGREPR = 20_000
_Message = dict[str, Any]
_TIMES = struct.Struct(">Iddd")  # which item, duration, start, stop
# What a good report holds whatever the test did; one that holds more travels whole.
_PLAIN = frozenset({"_id", "nodeid", "location", "keywords", "outcome", "longrepr", "when", "stockade"}) | {
    *("user_properties", "sections", "duration", "start", "stop"),
}
_BRIEF, _WHOLE = b"b", b"w"
# pytest's own, for which a good report is nothing: one counts failures, one writes a live log's headings.
_HEAR_NOTHING = frozenset({"terminalreporter", "session", "logging-plugin"})


def is_plain(report: pytest.TestReport) -> bool:
    """A good call that says nothing but how long it took: its item and three numbers are all of it."""
    good = report.when == "call" and report.outcome == "passed" and report.longrepr is None
    return good and not report.sections and not report.user_properties and vars(report).keys() <= _PLAIN


def times_of(report: pytest.TestReport) -> _Message:
    """What crosses the pipe of a plain report."""
    times = [report.duration, report.start, report.stop]
    return {"nodeid": report.nodeid, "times": times, "stockade": vars(report).get("stockade")}


def interests(report: pytest.TestReport, everything: bool) -> bool:
    """Good setups and teardowns interest nobody but JUnit's own writer (`everything`)."""
    return everything or report.when == "call" or report.outcome != "passed"


def slim(data: _Message) -> _Message:
    """A serialised report without what a node's answer may have blown up: it crosses a pipe and is kept."""
    long = data.get("longrepr")
    if len(json.dumps(long, default=str)) > LONGREPR:
        crash = long.get("reprcrash") if isinstance(long, dict) else None
        long = f"{str(crash['message'] if crash else long)[:LONGREPR]} …"
    sections = [(name, redact(text[:LONGREPR])) for name, text in data.get("sections", [])[:10]]
    return {**data, "longrepr": _clean(long), "sections": sections, "keywords": {}}


def _clean(value: Any) -> Any:
    """The same without secrets: a trace goes to a terminal and to --junitxml, which CI systems keep."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _clean(inner) for key, inner in value.items()}
    return [_clean(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def _only_counts(config: pytest.Config) -> bool:
    """Does the terminal need nothing but numbers? The summary and the report say the rest."""
    option = config.option
    more = option.reportchars or config.getoption("durations", None) is not None
    return option.verbose < 0 and option.tbstyle == "no" and not more


def _nobody_listens(config: pytest.Config) -> bool:
    """Is there no plug-in, but the terminal, that does something on a good report?"""
    for found in config.pluginmanager.hook.pytest_runtest_logreport.get_hookimpls():
        if found.plugin_name == "lfplugin" and not getattr(found.plugin, "lastfailed", True):
            continue  # it forgets failures that have become good
        if found.plugin_name not in _HEAR_NOTHING:
            return False
    return True


class Announcements:
    """Keeps the reports of each group, packed, and hands them to pytest's own plug-ins in the end.

    A hundred nodes are tens of thousands of reports: as objects they would need more than all their results,
    and a terminal's dots for them several seconds. So where nobody asks for more, its terminal is told how
    many were good.
    """

    def __init__(self, session: pytest.Session, names: list[str]) -> None:
        self._config = session.config
        self._items = session.items
        self._counts = _only_counts(session.config)
        self._good = 0  # plain reports that nobody asks about
        self._index: dict[str, int] = {}
        if not (self._counts and _nobody_listens(session.config)):
            self._index = {item.nodeid: number for number, item in enumerate(session.items)}
        self._kept: dict[str, list[bytes]] = {name: [] for name in names}

    def keep(self, name: str, message: _Message) -> None:
        """Keep one report of a group."""
        if "times" in message:
            if not self._index:
                self._good += 1
                return
            packed = _BRIEF + _TIMES.pack(self._index[message["nodeid"]], *message["times"])
        else:
            packed = _WHOLE + zlib.compress(json.dumps(message).encode(), 1)
        self._kept[name].append(packed)

    def make(self) -> None:
        """Tell pytest's plug-ins, group by group."""
        terminal = self._config.pluginmanager.getplugin("terminalreporter") if self._counts else None
        tell = self._config.pluginmanager.subset_hook_caller(
            "pytest_runtest_logreport", [] if terminal is None else [terminal]
        )
        told: dict[str, list[Any]] = {} if terminal is None else terminal.stats
        for kept in self._kept.values():
            for packed in kept:
                report = self._plain(packed[1:]) if packed[:1] == _BRIEF else self._whole(packed[1:])
                tell(report=report)
                if terminal is not None:
                    told.setdefault(self._category(report), []).append(report)
        if self._good:  # the last line says how many; one report stands for all of them
            good = pytest.TestReport("", ("", None, ""), {}, "passed", None, "call")
            told.setdefault("passed", []).extend([good] * self._good)

    def _category(self, report: pytest.TestReport) -> str:
        """Under which word the last line counts it: an error of a fixture is an error, no failure."""
        return str(self._config.hook.pytest_report_teststatus(report=report, config=self._config)[0])

    def _plain(self, packed: bytes) -> pytest.TestReport:
        number, duration, start, stop = _TIMES.unpack(packed)
        item = self._items[number]
        return pytest.TestReport(
            item.nodeid, item.location, {}, "passed", None, "call", (), duration, start, stop
        )

    def _whole(self, packed: bytes) -> Any:
        data = json.loads(zlib.decompress(packed))
        if isinstance(data["longrepr"], list):  # a skip: path, line, reason; JSON knows no tuples
            data["longrepr"] = tuple(data["longrepr"])
        return self._config.hook.pytest_report_from_serializable(config=self._config, data=data)
