"""The batches of playbooks/patch.yml over twenty names, as Ansible itself cuts and stops them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from tests import forked
from twin.play import ansible_environment

ROOT = Path(__file__).resolve().parents[2]
NODES = [f"n{number:02}" for number in range(20)]
TASKS = [
    {
        "name": "told",
        "ansible.builtin.debug": {"msg": "batch {{ ansible_play_batch | join(' ') }} end"},
        "run_once": True,
    },
    {"name": "one fails", "ansible.builtin.fail": {"msg": "x"}, "when": "inventory_hostname == fails"},
]


def play(name):
    """The play that changes nodes, of a playbook of the house."""
    return next(p for p in yaml.safe_load((ROOT / "playbooks" / f"{name}.yml").read_text()) if "serial" in p)


def batches(tmp_path, fails):
    """The batches that were begun when the node `fails` has failed."""
    host = {"ansible_connection": "local", "ansible_become": False}
    inventory, book = tmp_path / "inventory.yml", tmp_path / "batches.yml"
    inventory.write_text(json.dumps({"nodes": {"hosts": dict.fromkeys(NODES, host)}}))
    book.write_text(json.dumps([{**play("patch"), "tasks": TASKS}]))
    environment = {**ansible_environment(), "ANSIBLE_NOCOLOR": "1", "COLUMNS": "400"}
    words = ["playbook", "-i", str(inventory), str(book), "-e", f"fails={fails}"]
    done = forked.python("ansible", *words, cwd=ROOT, env=environment, timeout=1200)
    assert done.returncode == (0 if fails == "nobody" else 2), done.stdout + done.stderr
    return [found.split() for found in re.findall(r"batch (.*?) end", " ".join(done.stdout.split()))]


@pytest.mark.parametrize(("fails", "sizes"), [("nobody", [1, 2, 10, 7]), ("n05", [1, 2, 10])])
def test_one_node_then_a_tenth_a_half_the_rest_and_none_behind_a_failure(tmp_path, fails, sizes):
    found = batches(tmp_path, fails)
    assert [len(batch) for batch in found] == sizes
    assert [node for batch in found for node in batch] == NODES[: sum(sizes)]


@pytest.mark.parametrize("name", ["unpatch", "harden", "rollback"])
def test_the_other_playbooks_that_change_nodes_have_the_same_batches(name):
    expected = play("patch")["serial"].replace("patch_batches", "")
    assert re.sub(r"(patch|harden)_batches", "", play(name)["serial"]) == expected
    assert play(name)["max_fail_percentage"] == 0
