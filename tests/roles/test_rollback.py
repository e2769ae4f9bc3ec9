"""`playbooks/rollback.yml` over several generations of one node, also from a state that somebody broke."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests import suite_run
from tests.roles.lockout import judge, run
from tests.roles.role_run import harden

ACCESS = ("users", "ssh_server", "local_firewall")
SYSCTL = "/etc/sysctl.d/99-zz-stockade.conf"


@pytest.fixture(scope="module")
def node(lone_node_module):
    """A node with its guard, and nothing else yet, so that generation 1 is the blank node."""
    harden(lone_node_module, "packages", "access_guard")
    run.prepare(lone_node_module)
    return lone_node_module


@pytest.fixture(scope="module")
def story(node):
    """What the node looked like before, after its first hardening, and after a second one: [look, ...]."""
    looks = [run.look(node)]
    assert looks[0]["in"], looks[0]
    harden(node, *ACCESS, "kernel")
    looks.append({**run.look(node), "next": newest(node) + 1})
    person = {"name": "jordan", "keys": [key(node)], "expires": "2099-01-01"}
    harden(node, *ACCESS, ssh_server_max_auth_tries=2, users_people=[person], users_password_min_length=20)
    looks.append({**run.look(node), "next": newest(node) + 1})
    return looks


def key(node):
    """The public half of the key that the tests log in with."""
    return (node.inventory_file.parent / "ssh_key.pub").read_text().strip()


def newest(node):
    """Number of the newest generation."""
    return json.loads(node.sudo("stockade-guard status").stdout)["generations"][-1]["generation"]


def rollback(node, *arguments):
    """Run the playbook; its return code and everything it said."""
    done = suite_run.play(node.inventory_file, "playbooks/rollback.yml", *arguments)
    return done.code, done.output


def as_person(node, name):
    """Whether somebody else than the controller gets in."""
    options = ["-F", str(node.ssh_config), "-o", "ControlPath=none", "-o", "BatchMode=yes", "-l", name]
    done = subprocess.run(["ssh", *options, node.name, "true"], capture_output=True, timeout=120, check=False)
    return done.returncode == 0


def accounts(seen):
    """What of the look rollback answers for: people's rights and keys, not the accounts themselves."""
    return {name: facts for name, facts in seen["accounts"].items() if name != "jordan"}


def test_an_unknown_generation_is_one_clear_line(node, story):
    for arguments, words in (
        ((), "add -e generation=N"),
        (("-e", "generation=abc"), "add -e generation=N"),
        (("-e", "generation=999"), "generation 999 does not exist on this node; it has: 1, "),
    ):
        code, said = rollback(node, *arguments)
        assert code == 2, said
        assert words in said
    assert judge.differences(story[2], run.look(node)) == []


def test_back_to_the_first_hardening(node, story):
    """Values, keys and groups are the earlier ones; somebody who came since is out."""
    assert as_person(node, "jordan")
    code, said = rollback(node, "-e", f"generation={story[1]['next']}")
    assert code == 0, said
    seen = run.look(node)
    assert seen["event"]["concern"] == "rollback"
    assert seen["event"]["event"] == "proven", "a rollback is a guarded change itself"
    assert judge.differences({**story[1], "accounts": seen["accounts"]}, seen) == []
    assert accounts(seen) == accounts(story[1])
    assert not as_person(node, "jordan")


def test_back_to_the_blank_node(node, story):
    """Files that were not there are gone, modes and owners are the image's, running values too."""
    assert node.sudo(f"test -e {SYSCTL}").returncode == 0
    redirects = "sysctl -n net.ipv4.conf.all.send_redirects"
    assert node.sudo(redirects).stdout.strip() == "0"
    code, said = rollback(node, "-e", "generation=1")
    assert code == 0, said
    seen = run.look(node)
    assert judge.differences({**story[0], "accounts": seen["accounts"]}, seen) == []
    assert accounts(seen) == accounts(story[0])
    assert node.sudo("nft list tables").stdout.strip() == ""
    assert node.sudo(f"test -e {SYSCTL}").returncode == 1
    assert node.sudo(redirects).stdout.strip() == "1"


def test_forward_again_to_the_latest(node, story):
    """A rollback is a change, so the state before it is a generation as well."""
    code, said = rollback(node, "-e", f"generation={newest(node)}")
    assert code == 0, said
    seen = run.look(node)
    assert judge.differences({**story[1], "accounts": seen["accounts"]}, seen) == []
    assert seen["firewall"] == "in force"


def test_back_from_a_broken_state(node, story):
    """Somebody broke PAM, sudo, modes and owners by hand, and the login still works."""
    node.sudo(
        "chmod 0666 /etc/ssh/sshd_config; chown nobody /etc/pam.d/common-auth; "
        "rm /etc/pam.d/su; "
        "echo broken >> /etc/security/faillock.conf; rm -r /etc/sudoers.d/README /etc/issue; "
        "nft delete table inet stockade; chmod 0700 /etc/sudoers.d; ln -sf /dev/null /etc/login.defs"
    )
    assert judge.differences(story[1], run.look(node)) != []
    code, said = rollback(node, "-e", f"generation={story[1]['next']}")
    assert code == 0, said
    seen = run.look(node)
    assert judge.differences({**story[1], "accounts": seen["accounts"]}, seen) == []
    assert seen["firewall"] == "in force"


def test_a_rollback_that_would_lock_us_out_is_reverted(node, story):
    """An earlier generation may hold keys that are no longer ours."""
    number = story[1]["next"]
    folder = f"/var/lib/stockade/generations/{number}"
    node.sudo(
        f"cd {folder} && mkdir t && tar -xf files.tar -C t && "
        "echo 'DenyUsers admin' >> t/etc/ssh/sshd_config.d/00-stockade.conf && "
        "tar -cf files.tar -C t etc usr && rm -r t"
    )
    before = run.look(node)
    code, said = rollback(node, "-e", f"generation={number}", "-e", "access_guard_proof_timeout=3")
    assert code == 2, said
    assert "a new login with sudo failed" in said
    seen = run.look(node)
    assert seen["event"]["event"] == "reverted"
    assert judge.differences(before, seen) == []


def test_a_normal_run_hardens_the_node_again(node):
    harden(node, *ACCESS, "kernel")
    assert harden(node, *ACCESS, "kernel").changed == ()
