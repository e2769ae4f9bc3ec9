"""One login that begins with sudo: only where nothing but root without a password is wanted."""

from __future__ import annotations

import copy
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOGIN = {"hostname": "10.0.0.1", "username": "admin", "python_path": ["/usr/bin/python3"], "password": None}
BECOME = {
    "username": "root", "password": None, "python_path": ["/usr/bin/python3"], "sudo_path": "sudo",
    "sudo_args": ["-H", "-S", "-n"],
}  # fmt: skip


@pytest.fixture(scope="module")
def one_hop() -> Any:
    loader = SourceFileLoader("one_hop_under_test", str(ROOT / "plugins" / "controller" / "one_hop.py"))
    module = module_from_spec(ModuleSpec("one_hop_under_test", loader))
    loader.exec_module(module)
    return module


def stack(**become: Any) -> list[dict[str, Any]]:
    login = {"method": "ssh", "kwargs": dict(LOGIN)}
    return [login, {"method": "sudo", "enable_lru": True, "kwargs": {**BECOME, **become}}]


def test_the_login_begins_with_sudo_and_keeps_all_else(one_hop: Any) -> None:
    before = stack()
    given = copy.deepcopy(before)
    (one,) = one_hop.joined(given)
    assert one["kwargs"].pop("python_path") == ["sudo", "-n", "-H", "-u", "root", "--", "/usr/bin/python3"]
    expected = {k: v for k, v in LOGIN.items() if k != "python_path"}
    assert one == {"method": "ssh", "kwargs": expected}
    assert given == before, "mitogen's own way is taken with this when the short one fails"


@pytest.mark.parametrize(
    "other",
    [
        stack(password="x"),
        stack(sudo_args=["-H", "-E"]),
        stack(python_path="python3"),
        stack()[:1],
        [*stack(), stack()[1]],
        [{"method": "local", "kwargs": {}}, stack()[1]],
        [stack()[0], {"method": "su", "kwargs": dict(BECOME)}],
    ],
)
def test_everything_else_goes_mitogens_own_way(one_hop: Any, other: list[dict[str, Any]]) -> None:
    assert one_hop.joined(other) is None


class Node:
    """A connection that refuses some stacks."""

    def __init__(self, says: dict[int, Exception], *, become: bool = True, hops: int = 2) -> None:
        self.hops, self.become, self.says, self.tried = hops, become, says, list[int]()
        self.ended: list[list[dict[str, Any]]] = []
        self._play_context = SimpleNamespace(vars=dict[str, Any]())
        self.context: str | None = None
        self.login_context: str | None = None

    def _build_stack(self) -> tuple[str, list[dict[str, Any]]]:
        return "node", stack()[: self.hops]

    def reset(self) -> None:
        self.told = self._play_context.vars.pop("_mitogen.smuggled.reset_connection", None)
        ways = self._build_stack()[1]
        self.ended.append(ways[:-1] if self.become else ways)  # as mitogen does

    def _connect_stack(self, stack: list[dict[str, Any]]) -> None:
        self.tried.append(len(stack))
        if len(stack) in self.says:
            raise self.says[len(stack)]
        self.context, self.login_context = "root", "login" if len(stack) == 2 else None


@pytest.mark.parametrize(
    ("said", "tried"),
    [
        (None, [1]),
        ("EOF on stream; last 100 lines received:\nsudo: a password is required", [1, 2]),
        ("Connection timed out", [1]),
    ],
)
def test_a_refused_sudo_is_tried_as_mitogen_does_and_an_unreachable_node_is_not_asked_twice(
    one_hop: Any, monkeypatch: pytest.MonkeyPatch, said: str | None, tried: list[int]
) -> None:
    class Plain(Node):
        pass

    monkeypatch.setattr(one_hop, "Connection", Plain)
    one_hop.connect_in_one()
    node = Plain({1: one_hop.AnsibleConnectionFailure(said)} if said else {})
    if said and len(tried) == 1:
        with pytest.raises(one_hop.AnsibleConnectionFailure, match="timed out"):
            node._connect_stack(stack())
    else:
        node._connect_stack(stack())
        assert node.login_context == ("login" if said else "root")
    assert node.tried == tried


@pytest.mark.parametrize(
    ("become", "hops"), [(True, 2), (False, 2), (False, 1)], ids=["an-action", "a-play", "a-play-as-nobody"]
)
def test_a_reset_ends_the_short_way_and_mitogens_own(
    one_hop: Any, monkeypatch: pytest.MonkeyPatch, become: bool, hops: int
) -> None:
    """After a reboot nobody may hold on to a connection that is dead; a play's own reset becomes nobody."""

    class Plain(Node):
        pass

    monkeypatch.setattr(one_hop, "Connection", Plain)
    one_hop.connect_in_one()
    node = Plain({}, become=become, hops=hops)
    node._play_context.vars["_mitogen.smuggled.reset_connection"] = "the task"
    node.reset()
    assert node.told == "the task", (
        "the second one is a reset without its task, which mitogen does not survive"
    )
    assert node._play_context.vars == {}
    assert node.ended == [stack()[:1] if become else stack()[:hops], one_hop.joined(stack())]
    assert node._build_stack()[1] == stack()[:hops]
