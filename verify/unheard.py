"""What pytest's own plug-ins would record in a worker although nobody can hear of it, at a test's cost.

A worker's terminal is gone and its reports are cut to what the parent shows. So log records, captured output
and warnings are recorded only where a trace, a log file, JUnit's writer or a test itself asks for them.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Sequence

import pytest

_OUTPUT = {"capsys", "capfd", "capsysbinary", "capfdbinary", "capteesys"}
_WARNINGS = ("warnings", "unraisableexception", "threadexception")
GARBAGE = 50_000  # a worker lives for one node: looking for garbage often costs more than it frees


def leave(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Unregister what nobody would hear of these tests, in a worker."""
    gc.set_threshold(GARBAGE)
    plugins = config.pluginmanager
    asked = {name for item in items for name in getattr(item, "fixturenames", ())}
    shown = config.option.tbstyle != "no" or config.option.reportchars or config.getoption("xmlpath", None)
    names: list[str] = []
    if not shown and not asked & _OUTPUT:
        names.append("capturemanager")
    if not shown and "caplog" not in asked and not _keeps_log(config):
        names.append("logging-plugin")
    if not any(map(_raises, _filters(config, items))):
        names += _WARNINGS  # with no filter that raises, they only tell the terminal
    for name in names:
        if (plugin := plugins.getplugin(name)) is not None:
            plugins.unregister(plugin)


def _keeps_log(config: pytest.Config) -> bool:
    if not config.pluginmanager.hasplugin("logging-plugin"):
        return False
    options = ("log_file", "log_cli_level")
    return bool(config.getini("log_cli")) or any(config.getoption(o) or config.getini(o) for o in options)


def _filters(config: pytest.Config, items: Sequence[pytest.Item]) -> Iterable[str]:
    """Every warning filter that holds for a test of this run."""
    yield from config.getini("filterwarnings")
    yield from config.getoption("pythonwarnings", None) or ()
    for item in items:
        for mark in item.iter_markers("filterwarnings"):
            yield from map(str, mark.args)


def _raises(text: str) -> bool:
    """Does a filter (`action:message:…`, the action may be cut short) turn a warning into an exception?"""
    action = text.split(":", 1)[0].strip()
    return bool(action) and "error".startswith(action)
