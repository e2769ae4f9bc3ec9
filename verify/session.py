"""Runs the collected tests: one group per node and one for the region, side by side, results in a stable
order."""

from __future__ import annotations

import contextlib
import gc
import os
from typing import Any

import pytest
from testinfra.host import Host

from report.model import Status
from verify.announcing import Announcements, interests, is_plain, slim, times_of
from verify.backend import open_host
from verify.channel import Channel, ChannelFault
from verify.evidence import Recorder
from verify.fleet import Fleet, patiently
from verify.judgement import Judgement
from verify.outcome import claimed, subject_of
from verify.progress import Progress
from verify.unheard import leave
from verify.workers import Send, run_groups

REGION = "region"


class Reach:
    """The channels of this process. A worker opens its own; nothing is open when workers are forked."""

    def __init__(self, fleet: Fleet, patience: int = 1) -> None:
        self.recorder = Recorder()
        self._fleet, self._patience = fleet, patience
        self._hosts: dict[str, Host] = {}
        self._channels: dict[str, Channel] = {}

    def host(self, name: str) -> Host:
        """The node's Host; raises ChannelFault when it is out of reach."""
        if name not in self._fleet.argv:
            who = self._fleet.expected_by
            raise ChannelFault(f"{name} is expected by {who} and missing in the inventory")
        if name not in self._hosts:
            argv = patiently(self._fleet.argv[name], self._patience)
            channel = Channel(argv, patience=self._patience)
            self._channels[name] = channel
            self._hosts[name] = open_host(name, channel, self.recorder)
        return self._hosts[name]

    def lost(self, name: str) -> str:
        """Why the node cannot be spoken with any more; "" while it can, and for the region."""
        channel = self._channels.get(name)
        return channel.fault if channel is not None else ""

    def close(self) -> None:
        """Close every channel."""
        for channel in self._channels.values():
            channel.close()
        self._channels, self._hosts = {}, {}


def run_session(
    session: pytest.Session, reach: Reach, judgement: Judgement, shown: Progress, seconds: float
) -> None:
    """Run session.items; every item has an outcome in the judgement afterwards, whatever happened to its
    node."""
    groups: dict[str, list[pytest.Item]] = {}
    for item in session.items:
        groups.setdefault(group_of(item), []).append(item)
    names = sorted(groups, key=lambda name: (name == REGION, name))
    announced = Announcements(session, names)
    shown.begin({name: len(groups[name]) for name in names})
    for name, message in _messages(session, names, groups, reach, seconds):
        if isinstance(message, str):
            _close_group(name, groups[name], message, judgement)
            shown.end(name, message)
            continue
        if "unreachable" in message:
            _close_group(name, groups[name], message["unreachable"], judgement)
            continue
        if outcome := message.pop("stockade", None):
            judgement.take(message["nodeid"], outcome)
            shown.result(name, Status(outcome["status"]))
        announced.keep(name, message)
    if _forks(session):  # reports that were made in this process have been announced already
        announced.make()
        # All is judged and told: a report of tens of thousands of results takes the room of their tests.
        groups.clear()
        session.items.clear()
        del announced
        gc.collect()
    shown.close()


def group_of(item: pytest.Item) -> str:
    """The node's name, or `region` for a test that needs no node."""
    callspec = getattr(item, "callspec", None)
    return str(callspec.params["node"]) if callspec is not None and "node" in callspec.params else REGION


def _messages(
    session: pytest.Session,
    names: list[str],
    groups: dict[str, list[pytest.Item]],
    reach: Reach,
    seconds: float,
) -> Any:
    def work(name: str, send: Send) -> None:
        _run_group(session, name, groups[name], reach, send)

    if _forks(session):

        def forked(name: str, send: Send) -> None:
            _become_worker(session, groups[name])
            work(name, send)

        # What was collected stays until the end: looking through it for garbage would cost each worker time,
        # and memory of its own for every page that it looks at.
        gc.collect()
        gc.freeze()
        try:
            yield from run_groups(names, forked, session.config.option.at_once, seconds)
        finally:
            gc.unfreeze()
        return
    for name in names:  # one process, one after the other: for a debugger
        said: list[dict[str, Any]] = []
        work(name, said.append)
        yield from ((name, message) for message in said)
        yield name, ""


def _forks(session: pytest.Session) -> bool:
    return session.config.option.at_once > 0 and not session.config.option.usepdb


def _become_worker(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Leave the terminal and the shared capture files to the parent."""
    plugins = session.config.pluginmanager
    if (terminal := plugins.getplugin("terminalreporter")) is not None:
        plugins.unregister(terminal)
    capture = plugins.getplugin("capturemanager")
    leave(session.config, items)
    if capture is not None and capture.is_globally_capturing():
        capture.stop_global_capturing()
        if plugins.hasplugin("capturemanager"):
            capture.start_global_capturing()
    silent = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(silent, descriptor)


def _run_group(
    session: pytest.Session, name: str, items: list[pytest.Item], reach: Reach, send: Send
) -> None:
    relay = _Relay(session.config, send, {item.nodeid for item in items})
    if name != REGION:
        try:
            reach.host(name)
        except (ChannelFault, OSError) as fault:
            send({"unreachable": f"{name} could not be reached: {fault}"})
            return
    session.config.pluginmanager.register(relay, "verify-relay")
    try:
        for item, after in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            if lost := reach.lost(name):  # nothing more can be read: the rest need not try
                send({"unreachable": f"{name} was lost: {lost}"})
                return
    finally:
        session.config.pluginmanager.unregister(relay)
        with contextlib.suppress(ChannelFault):
            reach.close()


class _Relay:
    """Sends every report of this worker to the parent."""

    def __init__(self, config: pytest.Config, send: Send, known: set[str]) -> None:
        self._config = config
        self._send = send
        self._known = known
        self._everything = bool(config.getoption("xmlpath", None))

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not interests(report, self._everything):
            return
        if is_plain(report) and not self._everything and report.nodeid in self._known:
            self._send(times_of(report))
            return
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._send(slim(data))


def _close_group(name: str, items: list[pytest.Item], reason: str, judgement: Judgement) -> None:
    """Whatever a group did not get to is an error: it must not vanish from the report."""
    for item in items:
        if judgement.has(item.nodeid):
            continue
        why = reason or "the test was collected and never ran"
        judgement.take(
            item.nodeid,
            {
                "status": Status.ERROR.value,
                "message": why if why.startswith(name) else f"{name}: {why}",
                "evidence": "",
                "seconds": 0.0,
                "controls": claimed(item),
                "subject": subject_of(item),
            },
        )
