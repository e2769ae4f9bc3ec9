"""Role crypto_policy: what both TLS libraries of a node agree on, by handshakes, through a node's life."""

from __future__ import annotations

import json
import shlex

import pytest

from tests.nodes import handshakes
from tests.roles.role_run import harden, run_roles

OLD = ("tls1", "tls1_1")
SHORT = ("aes128 tls1_2", "aes128 tls1_3")
GOOD = ("aes256 tls1_2", "aes256 tls1_3")
POLICY = "TLS libraries speak the approved protocols and suites"


@pytest.fixture(scope="module")
def node(lone_node_module):
    return lone_node_module


def agreed(node, *offers):
    """{"<library> <side>"} that agreed on any of these offers."""
    answer = node.sudo(f"python3 -I -c {shlex.quote(handshakes.source())}", timeout=600)
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    return {how.rpartition(f" {offer}")[0] for offer in offers for how in found if how.endswith(f" {offer}")
            and found[how] != "refused"}  # fmt: skip


ALL = {f"{library} {side}" for library in ("openssl", "gnutls") for side in ("server", "client")}


def test_a_check_of_a_blank_node_changes_nothing_and_the_handshakes_see_what_is_open(node):
    outcome = run_roles(node, "crypto_policy", check=True)
    assert outcome.code == 0, outcome.output
    assert outcome.changed == (POLICY, "OpenSSL reads them last")
    assert node.sudo("ls /etc/ssl/stockade.cnf /etc/gnutls/config").stdout == ""
    assert agreed(node, *OLD) == {"gnutls server", "gnutls client"}
    assert agreed(node, *SHORT) == ALL


def test_only_modern_protocols_with_aes_256_are_left_and_a_second_run_changes_nothing(node):
    harden(node, "crypto_policy")
    assert agreed(node, *OLD, *SHORT) == set()
    assert agreed(node, *GOOD) == ALL
    assert harden(node, "crypto_policy").changed == ()


def test_a_changed_minimum_arrives_and_survives_a_reboot(node):
    harden(node, "crypto_policy", crypto_policy_minimum="TLSv1.3")
    node.reboot()
    assert agreed(node, "aes256 tls1_2") == set()
    assert agreed(node, "aes256 tls1_3") == ALL


def test_a_suite_that_openssl_does_not_know_is_refused(node):
    before = node.sudo("cat /etc/ssl/stockade.cnf").stdout
    outcome = run_roles(node, "crypto_policy", crypto_policy_suites=["TLS_AES_257"])
    assert outcome.code != 0
    assert "refused the new text" in outcome.output
    assert node.sudo("cat /etc/ssl/stockade.cnf").stdout == before


def test_what_was_loosened_by_hand_is_closed_again(node):
    node.sudo("sed -i /stockade.cnf/d /etc/ssl/openssl.cnf; rm /etc/gnutls/config")
    assert agreed(node, *SHORT) == ALL
    harden(node, "crypto_policy")
    assert agreed(node, *SHORT) == set()
