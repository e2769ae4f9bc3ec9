"""Levels and kinds: data that names variables the roles have, merged in one order."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

import inventory
from controls import profiles
from fault import Fault
from settings.model import Kind, Profile
from twin.machines.scratch import contract
from verify.collection import _leave_to_higher_profiles

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "controls/profiles").rglob("*.yaml"))
TYPES = {"dict": dict, "list": list, "bool": bool, "int": int, "str": str, "path": str}


def options() -> dict[str, dict[str, Any]]:
    """Every option of every role, as its argument specification describes it."""
    specs = [yaml.safe_load(path.read_text()) for path in ROOT.glob("roles/*/meta/argument_specs.yml")]
    return {name: o for s in specs for name, o in s["argument_specs"]["main"].get("options", {}).items()}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_profile_states_variables_that_a_role_has(path: Path) -> None:
    known = options()
    for name, value in yaml.safe_load(path.read_text()).items():
        assert name in known, f"{path.name}: no role has {name}"
        assert isinstance(value, TYPES[known[name]["type"]]), f"{path.name}: {name}"
        assert value in known[name].get("choices", [value]), f"{path.name}: {name}"


def test_every_kind_and_level_of_the_settings_has_its_file_and_nothing_else_is_there() -> None:
    assert {path.stem for path in FILES} == {*map(str, Kind), *map(str, Profile)}
    assert tuple(map(str, Profile)) == profiles.LEVELS


def test_level_two_is_what_the_roles_do_by_themselves() -> None:
    known = options()
    for name, value in profiles.variables("app", "cis-l2").items():
        assert known[name]["default"] == value, name


def test_levels_are_cumulative_and_a_kind_has_the_last_word(tmp_path: Path) -> None:
    (tmp_path / "kinds").mkdir()
    stated = {"cis-l1": {"a": 1, "m": {"x": 1, "y": 1}}, "cis-l2": {"a": 2}, "strict": {"m": {"y": 2}}}
    for name, content in {**stated, "kinds/app": {}}.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
    (tmp_path / "kinds/edge.yaml").write_text("{a: 9, m: {z: 3}}")
    assert profiles.variables("app", "cis-l1", tmp_path) == {"a": 1, "m": {"x": 1, "y": 1}}
    assert profiles.variables("app", "strict", tmp_path) == {"a": 2, "m": {"x": 1, "y": 2}}
    assert profiles.variables("edge", "cis-l2", tmp_path) == {"a": 9, "m": {"x": 1, "y": 1, "z": 3}}


def test_an_unknown_kind_or_level_is_one_clear_line() -> None:
    with pytest.raises(Fault, match=r"no profile 'router'.*kinds holds app, archive, bastion"):
        profiles.variables("router", "cis-l2")
    with pytest.raises(Fault, match=r"profile 'cis-l3'.*one of cis-l1, cis-l2, strict"):
        profiles.variables("app", "cis-l3")


def test_a_node_gets_the_variables_of_its_kind_and_level() -> None:
    region = contract(kind="container_host", profile="cis-l1")
    assert (region["nodes"][0]["kind"], region["nodes"][0]["profile"]) == ("container_host", "cis-l1")
    node = inventory.build(region, {})["all"]["children"]["nodes"]["children"]["edge"]["hosts"]["edge-a-1"]
    assert (node["stockade_kind"], node["stockade_profile"]) == ("container_host", "cis-l1")
    assert node["kernel_forwarding"] is True
    assert "squashfs" not in node["kernel_denied_filesystems"]


def test_a_role_named_like_a_kind_is_that_kind_and_any_other_an_app() -> None:
    assert contract()["nodes"][0]["kind"] == "edge"
    assert contract(kind="app")["nodes"][0]["kind"] == "app"


@pytest.mark.parametrize(
    ("profile", "levels", "left_out"),
    [
        ("cis-l1", ("cis-l2",), "asked for from profile cis-l2 on, and the node's profile is cis-l1"),
        ("cis-l2", ("cis-l2",), None),
        ("strict", ("cis-l1", "strict"), None),
        ("cis-l2", ("cis-l2", "strict"), None),
    ],
)
def test_what_a_node_is_not_hardened_to_is_not_applicable_and_says_so(
    profile: str, levels: tuple[str, ...], left_out: str | None
) -> None:
    marks: list[pytest.MarkDecorator] = []
    item: Any = SimpleNamespace(callspec=SimpleNamespace(params={"node": "n"}), add_marker=marks.append)
    catalogue: Any = {f"STK-KRN-{n}": SimpleNamespace(profile=level) for n, level in enumerate(levels)}
    fleet: Any = SimpleNamespace(nodes={"n": {"profile": profile}})
    _leave_to_higher_profiles(item, list(catalogue), fleet, catalogue)
    assert [mark.kwargs["reason"] for mark in marks] == ([f"not applicable: {left_out}"] if left_out else [])
