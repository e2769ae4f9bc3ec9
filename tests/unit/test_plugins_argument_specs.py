"""The roles' defaults and reference pages are derived from their specifications and never stale."""

from __future__ import annotations

from pathlib import Path

import yaml

from roles import argument_specs

SPEC = """
argument_specs:
  main:
    short_description: Keeps the door.
    options:
      door_port: {type: int, default: 22, description: where it listens}
      door_rules:
        type: list
        elements: dict
        required: true
        description: who may enter
        options:
          name: {type: str, required: true, description: "a | b"}
      door_note: {type: str, default: "{{ inventory_hostname }}", description: text}
"""


def _role(root: Path) -> Path:
    role = root / "door"
    (role / "meta").mkdir(parents=True)
    (role / "tasks").mkdir()
    (role / "meta" / "argument_specs.yml").write_text(SPEC)
    return role


def test_every_role_of_the_house_is_up_to_date():
    assert argument_specs.roles(), "no role found: nothing would be checked"
    assert argument_specs.stale() == []


def test_defaults_hold_the_options_that_have_one(tmp_path):
    text = argument_specs.defaults(argument_specs.load(_role(tmp_path)))
    assert yaml.safe_load(text) == {"door_port": 22, "door_note": "{{ inventory_hostname }}"}


def test_readme_names_every_option_with_its_nested_keys(tmp_path):
    role = _role(tmp_path)
    text = argument_specs.readme("door", argument_specs.load(role))
    assert "| `door_rules` | list of dict | **required** | who may enter |" in text
    assert "| `door_rules[].name` | str | **required** | a \\| b |" in text


def test_a_stale_page_and_a_role_without_specification_are_named(tmp_path):
    role = _role(tmp_path)
    for path, text in argument_specs.pages(role).items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert argument_specs.stale(tmp_path) == []
    (role / "README.md").write_text("old")
    (tmp_path / "bare" / "tasks").mkdir(parents=True)
    assert len(argument_specs.stale(tmp_path)) == 2
