"""`python -m playbooks` is `ansible-playbook`, started lighter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from twin.play import ansible_environment

ROOT = Path(__file__).resolve().parents[2]
MUTATED = """
import json, sys
from pathlib import Path
import playbooks.__main__ as started
from ansible.parsing.dataloader import DataLoader
started.uncopied()
given = sys.argv[1]
loader, other = DataLoader(), DataLoader()
first = loader.load_from_file(given)
first["list"].append("of the first reader")
seen = [loader.load_from_file(given), other.load_from_file(given), loader.load_from_file(given)]
seen[1]["list"].append("of another loader's")
print(json.dumps([*seen, loader.load_from_file(given, unsafe=True), "paramiko" in sys.modules and
                  sys.modules["paramiko"] is None]))
"""


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT, env=ansible_environment(), capture_output=True, text=True, timeout=1200, check=False,
    )  # fmt: skip


def test_no_reader_of_a_file_sees_what_another_one_made_of_it(tmp_path: Path) -> None:
    given = tmp_path / "given.yml"
    given.write_text("list: [a]\n")
    done = python("-c", MUTATED, str(given))
    ours, theirs = '{"list": ["a"]}', '{"list": ["a", "of another loader\'s"]}'
    assert done.stdout.strip() == f"[{ours}, {theirs}, {ours}, {ours}, true]", done.stderr


def test_arguments_output_and_code_are_ansible_playbooks(tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.yml"
    inventory.write_text("nodes: {hosts: {n1: {}}}\n")
    arguments = ("-i", str(inventory), "playbooks/harden.yml", "--list-tasks")
    light, plain = python("-m", "playbooks", *arguments), python("-m", "ansible", "playbook", *arguments)
    assert "packages : Install what the roles need" in light.stdout
    assert (light.returncode, light.stdout, light.stderr) == (plain.returncode, plain.stdout, plain.stderr)
    wrong = python("-m", "playbooks", "-i", str(inventory), str(tmp_path / "none.yml"))
    assert wrong.returncode == 1
    assert "none.yml" in wrong.stderr


def test_what_fetches_collections_is_loaded_when_a_module_comes_from_one() -> None:
    look = """
import sys
import playbooks.__main__ as started
started.late("ansible.collections.list")
from ansible_mitogen import planner
before = "ansible.cli.galaxy" in sys.modules
found = planner.ansible.collections.list.list_collection_dirs
assert sys.modules["ansible.collections.list"].list_collection_dirs is found
print(before, "ansible.cli.galaxy" in sys.modules, callable(found))
"""
    done = python("-c", look)
    assert done.stdout.split() == ["False", "True", "True"], done.stderr
