"""The short way to root (plugins/controller/one_hop.py) on a real node, through a reset and a reboot."""

from __future__ import annotations

import json

from tests.suite_run import play

# Ansible's own interpreters: who runs each, and which process it is.
INTERPRETERS = "ps -eo user:32=,pid=,args= | awk '/[m]itogen:/ && !/sudo|ssh/ {print $1, $2}'"


def seen(name):
    """A task that keeps what is there now under a name."""
    return {"ansible.builtin.shell": {"cmd": INTERPRETERS}, "register": name, "changed_when": False}


def test_it_is_taken_again_after_a_reset_and_a_reboot_and_nothing_stays_behind(lone_node):
    home = lone_node.inventory_file.parent
    boots = lone_node.machines.boot_id(lone_node.name)
    content = "{{ [first.stdout_lines, again.stdout_lines, later.stdout_lines, who.stdout] | to_json }}"
    tasks = [
        seen("first"),
        {"ansible.builtin.meta": "reset_connection"},
        seen("again"),
        {"ansible.builtin.reboot": {"reboot_timeout": 60}},
        seen("later"),
        {"ansible.builtin.command": "id -un", "register": "who", "changed_when": False},
        {
            "ansible.builtin.copy": {"dest": str(home / "said"), "content": content, "mode": "0600"},
            "delegate_to": "localhost",
            "vars": {"ansible_become": False},
        },
    ]
    book = home / "one-hop.yml"
    book.write_text(json.dumps([{"hosts": "nodes", "gather_facts": False, "tasks": tasks}]))
    outcome = play(lone_node.inventory_file, str(book))
    assert outcome.code == 0, outcome.output
    *lists, who = json.loads((home / "said").read_text())
    assert who == "root"
    for interpreters in lists:
        assert interpreters and {line.split()[0] for line in interpreters} == {"root"}, lists
    first, again, _ = (set(interpreters) for interpreters in lists)
    assert not first & again, "an interpreter outlived the reset"
    assert lone_node.machines.boot_id(lone_node.name) != boots
