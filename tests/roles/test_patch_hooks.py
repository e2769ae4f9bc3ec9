"""Hooks of a patch run that ask an address: one good answer in time lets the run go on, nothing else does."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.roles.health_server import address, serve_health
from tests.suite_run import play

HOOKS: dict[str, dict[str, Any]] = {
    "200": {"seconds": 30},
    "204": {"status": [200, 204]},
    "comes": {"tries": 4, "pause": 0},
    "500": {"tries": 2, "pause": 0},
    "302": {},
    "hangs": {"seconds": 1},
    "drips": {"seconds": 1},
    "refused": {"seconds": 30},
}
GOOD = {"200", "204", "comes"}


def asked(node):
    """What the role's own tasks say of each hook: empty, or what went wrong."""
    tasks = [
        {
            "block": [
                {
                    "ansible.builtin.include_role": {"name": "patching", "tasks_from": "hook"},
                    "vars": {"patching_hook": {"phase": "health", "url": address(name), **more}},
                },
                {"ansible.builtin.set_fact": {f"said_{name}": ""}},
            ],
            "rescue": [{"ansible.builtin.set_fact": {f"said_{name}": "{{ ansible_failed_result.msg }}"}}],
        }
        for name, more in HOOKS.items()
    ]
    said = node.inventory_file.parent / "said"
    content = "{{ {" + ", ".join(f"'{name}': said_{name}" for name in HOOKS) + "} | to_json }}"
    tasks.append(
        {
            "ansible.builtin.copy": {"dest": str(said), "content": content, "mode": "0600"},
            "delegate_to": "localhost",
            "vars": {"ansible_become": False},
        }
    )
    book = node.inventory_file.parent / "hooks.yml"
    book.write_text(json.dumps([{"hosts": "nodes", "gather_facts": False, "tasks": tasks}]))
    outcome = play(node.inventory_file, str(book), "-e", '{"patching_run": "x"}')
    assert outcome.code == 0, outcome.output
    return json.loads(said.read_text())


def test_only_a_good_answer_in_time_lets_a_run_go_on(lone_node):
    serve_health(lone_node)
    begun = time.monotonic()
    said = asked(lone_node)
    assert {name for name, problem in said.items() if not problem} == GOOD, said
    assert "500" in said["500"] and "302" in said["302"]
    assert "timed out" in said["hangs"].lower()
    assert "refused" in said["refused"].lower()
    # One byte every half second never is late, and all of them would take twelve minutes.
    assert "time" in said["drips"].lower()
    assert time.monotonic() - begun < 300
