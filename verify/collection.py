"""Spreads tests over their subjects and refuses a suite whose tests prove nothing that is written down."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import Any, Literal

import pytest

from controls.model import Control
from controls.profiles import LEVELS, reaches
from report.model import Subject
from verify.fleet import Fleet
from verify.judgement import Judgement
from verify.outcome import claimed
from verify.subjects import Resource


def expand_nodes(
    metafunc: pytest.Metafunc,
    fleet: Fleet,
    names: list[str],
    catalogue: dict[str, Control],
    judgement: Judgement,
) -> None:
    """A test that uses `host` or `node` runs once per expected node, limited by its `server_roles` mark."""
    if not {"host", "node"} & set(metafunc.fixturenames):
        return
    marks = list(metafunc.definition.iter_markers("server_roles"))
    roles = {str(role) for mark in marks for role in mark.args}
    chosen = [name for name in names if not marks or fleet.nodes[name]["role"] in roles]
    if not chosen and not _role_is_known(roles, claimed(metafunc.definition), catalogue):
        judgement.fault(
            f"{metafunc.definition.nodeid}: no node has a server role of {', '.join(sorted(roles)) or '()'}"
        )
    metafunc.parametrize("node", chosen, indirect=True, scope="session")


def _role_is_known(roles: set[str], controls: list[str], catalogue: dict[str, Control]) -> bool:
    """A stack may lack a role that its controls speak of; a role that no control knows is a typing error."""
    known = {word for control in controls if control in catalogue for word in catalogue[control].applies_to}
    return bool(roles & known) or "nodes" in known


def test_id(function: pytest.Item, root: Path) -> str:
    """A test as the catalogue in `root` names it: its file from there, and its name without parameters."""
    path = function.path.resolve()
    place = path.relative_to(root.resolve()) if path.is_relative_to(root.resolve()) else path
    return "::".join((place.as_posix(), *function.nodeid.split("[")[0].split("::")[1:]))


def find_left_out(
    suites: Iterable[Path],
    root: Path,
    collected: Set[str],
    catalogue: Mapping[str, Control],
    judgement: Judgement,
) -> None:
    """Tests in these folders that prove a control and that pytest never saw, by whatever option or file.

    Another test of the same control may have passed, so the control's results alone would not show it.
    """
    folders = tuple(suites)
    lacking: dict[str, list[str]] = defaultdict(list)
    for control in catalogue.values():
        for test in set(control.verified_by) - collected:
            file, _, name = test.partition("::")
            if any((root / file).resolve().is_relative_to(folder) for folder in folders):
                lacking[file].append(f"{name} proves {control.id}")
    for file, tests in sorted(lacking.items()):
        more = f" and {len(tests) - 1} more" if len(tests) > 1 else ""
        judgement.fault(f"{file} was not collected whole: {min(tests)}{more}")


def check_items(
    items: list[pytest.Item],
    contract: dict[str, Any],
    fleet: Fleet,
    catalogue: dict[str, Control],
    judgement: Judgement,
) -> None:
    """Drop the place-holders of empty parameter sets, note each item's subject, and refuse what proves
    nothing."""
    items[:] = [item for item in items if not _is_empty_set(item)]
    for item in items:
        subject = _subject(item, contract, fleet)
        item._stockade_subject = subject.id  # type: ignore[attr-defined]
        judgement.subjects[subject.id] = subject
        controls = claimed(item)
        _leave_to_higher_profiles(item, controls, fleet, catalogue)
        if not controls:
            judgement.fault(f'{item.nodeid}: claims no control; add @pytest.mark.control("STK-…")')
        for control in controls:
            if control not in catalogue:
                judgement.fault(f"{item.nodeid}: claims {control}, which is not in controls/catalogue")
        if any(item.iter_markers("xfail")):
            judgement.fault(
                f"{item.nodeid}: xfail hides a failure; record a waiver in controls/waivers instead"
            )
    if any(_node_name(item) for item in items):
        _compare(fleet, judgement)


def _leave_to_higher_profiles(
    item: pytest.Item, claims: list[str], fleet: Fleet, catalogue: dict[str, Control]
) -> None:
    """A test whose every control asks for more than the node's profile is not run there, and says so."""
    name = _node_name(item)
    levels = {catalogue[control].profile for control in claims if control in catalogue}
    if name is None or not levels:
        return
    profile = str(fleet.nodes[name].get("profile", "cis-l2"))
    if not any(reaches(profile, level) for level in levels):
        asked = min(levels, key=LEVELS.index)
        reason = f"not applicable: asked for from profile {asked} on, and the node's profile is {profile}"
        item.add_marker(pytest.mark.skip(reason=reason))


def _compare(fleet: Fleet, judgement: Judgement) -> None:
    for name in fleet.missing:
        judgement.fault(f"{name} is expected by {fleet.expected_by} and missing in the inventory")
    for name in fleet.extra:
        judgement.fault(f"{name} is in the inventory and unknown to {fleet.expected_by}: nobody verifies it")
    for place, names in fleet.shared.items():
        judgement.fault(
            f"{', '.join(names)} are reached at one place, {place}: only one of them can be the node there"
        )


def _is_empty_set(item: pytest.Item) -> bool:
    """pytest makes one skipped place-holder for an empty parameter set; completeness is judged by control
    instead."""
    callspec = getattr(item, "callspec", None)
    return callspec is not None and any(
        getattr(value, "name", "") == "NOTSET" or type(value).__name__ == "NotSetType"
        for value in callspec.params.values()
    )


def _node_name(item: pytest.Item) -> str | None:
    callspec = getattr(item, "callspec", None)
    name = callspec.params.get("node") if callspec is not None else None
    return str(name) if name is not None else None


def _subject(item: pytest.Item, contract: dict[str, Any], fleet: Fleet) -> Subject:
    name = _node_name(item)
    if name is not None:
        node = fleet.nodes[name]
        shown = ("address", "zone", "subnet", "vpc", "tier", "instance_id")
        facts: dict[str, Any] = {key: node[key] for key in shown if key in node}
        return Subject(id=name, kind="node", group=node["role"], facts=facts)
    callspec = getattr(item, "callspec", None)
    for value in callspec.params.values() if callspec is not None else ():
        if isinstance(value, Resource):
            people = value.kind == "procedure"
            kind: Literal["procedure", "resource"] = "procedure" if people else "resource"
            return Subject(id=value.id, kind=kind, group=value.kind, facts=value.facts)
    return Subject(id=f"account/{contract['account']}", kind="resource", group="account")
