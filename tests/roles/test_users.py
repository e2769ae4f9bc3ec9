"""Role users on one node: keys of the image's account, and the records of sudo sessions."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import ansible_mitogen
import pytest

from tests import forked
from tests.roles.role_run import ROOT, harden, run_roles
from tests.roles.test_access_guard import as_person, person
from twin.play import ansible_environment

ACCOUNTS = "Accounts, groups and keys follow the list"
KEYS = "cat /home/admin/.ssh/authorized_keys"
SECRET = "Correct-Horse-7-Battery"
MITOGEN = {"ANSIBLE_STRATEGY_PLUGINS": str(Path(ansible_mitogen.__file__).parent / "plugins/strategy")}
TRIM = "/usr/local/sbin/stockade-sudo-records /var/log/sudo-io"


@pytest.fixture(scope="module")
def node(lone_node_module):
    return lone_node_module


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """A public key that opens the account until the list leaves it out."""
    path = tmp_path_factory.mktemp("key") / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "former", "-f", path], check=True)
    return path.with_suffix(".pub").read_text().strip()


def at_terminal(node, command, answers):
    """What jordan sees at a terminal of their own, who answers each prompt as it comes."""
    options = ["-F", str(node.ssh_config), "-o", "ControlPath=none", "-o", "BatchMode=yes", "-l", "jordan"]
    argv = ["timeout", "40", "ssh", "-tt", *options, node.name, command]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdin and shell.stdout
        said = ""
        for prompt, answer in answers:
            while not said.endswith(prompt):
                letter = shell.stdout.read(1)
                assert letter, f"no prompt {prompt!r} after {said!r}"
                said += letter
            shell.stdin.write(f"{answer}\n")
            shell.stdin.flush()
        return said + shell.stdout.read()


def becomes_root(node, strategy, name, **variables):
    """Who a real module is on the node, run by Ansible as somebody and through sudo."""
    home = node.inventory_file.parent
    (home / "who.json").write_text(json.dumps({"ansible_user": name, **variables}))
    task = {"ansible.builtin.command": "id -un", "changed_when": False, "register": "who"}
    told = {"ansible.builtin.debug": {"msg": "it is {{ who.stdout }} here"}}
    (home / "who.yml").write_text(
        json.dumps([{"hosts": "nodes", "gather_facts": False, "tasks": [task, told]}])
    )
    words = ["-i", str(node.inventory_file), str(home / "who.yml"), "-e", f"@{home / 'who.json'}"]
    environment = {**ansible_environment(), **MITOGEN, "ANSIBLE_STRATEGY": strategy}
    done = forked.python("ansible", "playbook", *words, cwd=ROOT, env=environment, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.partition("it is ")[2].partition(" here")[0]


def test_a_key_that_the_list_leaves_out_is_gone_and_one_that_it_names_comes(node, stranger):
    """What a change of `stockade:administrators` does to a node that runs."""
    node.sudo(f"echo {stranger!r} >> /home/admin/.ssh/authorized_keys")
    harden(node, "packages", "users")
    assert "former" not in node.sudo(KEYS).stdout
    harden(node, "users", users_administrators=[{"name": "former", "key": stranger}])
    assert [line.split()[-1] for line in node.sudo(KEYS).stdout.splitlines()] == ["former", "twin"]


def test_a_list_without_the_key_of_this_connection_is_taken_back(node, stranger):
    before = node.sudo(KEYS).stdout
    outcome = run_roles(
        node, "users", users_administrators=[{"name": "other", "key": stranger}], users_controller_keys=[],
        access_guard_revert_after=12, access_guard_proof_timeout=5,
    )  # fmt: skip
    assert outcome.code != 0
    assert "a new login with sudo failed" in outcome.output
    assert node.sudo(KEYS).stdout == before


def test_the_account_of_this_connection_never_leaves_by_its_date(node):
    gone = {"name": "admin", "keys": ["ssh-ed25519 AAAA x"], "expires": "2020-01-01"}
    outcome = run_roles(node, "users", users_people=[gone])
    assert outcome.code != 0
    assert "closing it would lock you out; give it a later day" in " ".join(outcome.output.split())
    assert node.ssh("sudo -n true").returncode == 0


def test_what_an_administrator_types_and_sees_is_recorded_without_the_password(node):
    harden(node, "users", users_people=[person(node)])
    assert node.sudo(f"echo jordan:{SECRET} | chpasswd").returncode == 0
    said = at_terminal(
        node,
        "sudo -p 'Password: ' sh -c 'printf Ready:; read a; echo seen-$a'",
        (("Password: ", SECRET), ("Ready:", "typed-1")),
    )
    assert "seen-typed-1" in said
    record = node.sudo(
        "for f in $(find /var/log/sudo-io -type f -name 'tty*' -o -name 'std*'); do zcat -f $f; done"
    )
    assert "seen-typed-1" in record.stdout
    assert "typed-1" in record.stdout.replace("seen-typed-1", "", 1)
    assert SECRET not in record.stdout
    assert "COMMAND=/usr/bin/sh" in node.sudo("cat /var/log/sudo.log").stdout


def test_a_new_password_costs_what_is_declared(node):
    """crypt(5): the letter behind j is the cost, 9 is 5 and B is 7; pam_unix alone would take 5."""
    assert node.sudo("getent shadow jordan").stdout.split(":")[1].startswith("$y$jBT$")


def test_without_a_terminal_automation_becomes_root_and_a_person_does_not(node):
    """Ansible with both transports; a person who runs playbooks says so on the list."""
    asked = "sudo -S -k -p '' id -un"
    refused = as_person(node, "jordan", asked, f"{SECRET}\n")
    assert refused.returncode != 0
    assert "must have a tty" in refused.stderr
    for strategy in ("linear", "mitogen_linear"):
        assert becomes_root(node, strategy, "admin") == "root"
    harden(node, "users", users_people=[person(node, playbooks=True)])
    assert as_person(node, "jordan", asked, f"{SECRET}\n").stdout.strip() == "root"
    for strategy in ("linear", "mitogen_linear"):
        assert becomes_root(node, strategy, "jordan", ansible_become_password=SECRET) == "root"


def test_records_beyond_their_bounds_go_oldest_first_and_the_timer_comes_back_after_a_reboot(node):
    fill = "mkdir -p $d; head -c 700000 /dev/urandom > $d/log; touch -d -{1}day $d/log"
    make = "d=/var/log/sudo-io/x/{0}; " + fill
    # Sessions of the tests before would count as well, and are newer than these.
    node.sudo("rm -rf /var/log/sudo-io/*")
    for name, age in (("00A", 3), ("00B", 2), ("00C", 200)):
        node.sudo(make.format(name, age))
    node.sudo(f"{TRIM} 1000 180")
    assert node.sudo("ls /var/log/sudo-io/x").stdout.split() == ["00A", "00B"]
    node.sudo(f"{TRIM} 1 180")
    assert node.sudo("ls /var/log/sudo-io/x").stdout.split() == ["00B"]
    node.reboot()
    assert node.sudo("systemctl is-active stockade-sudo-records.timer").stdout.strip() == "active"
    assert (
        node.sudo(
            "systemctl start stockade-sudo-records; systemctl is-failed stockade-sudo-records"
        ).stdout.strip()
        != "failed"
    )
    assert node.sudo("ls /var/log/sudo-io/x").stdout.split() == ["00B"], (
        "the sandboxed service removed too much"
    )
