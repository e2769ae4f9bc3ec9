"""Role audit: the journal survives, is bounded and forwarded without a gap, and rules are staged whole."""

from __future__ import annotations

import base64
import re
import time
from pathlib import Path

import pytest

from tests.roles.role_run import harden, run_roles

LAST_WORD = "journalctl -u systemd-journald -b --grep 'System Journal' -n 1 -o cat"
CUT = (
    "nft add table inet cut; nft 'add chain inet cut in { type filter hook input priority 0; }';"
    " nft add rule inet cut in iifname lo tcp dport 19532 drop"
)
AUTHORITY = r"""
set -e; mkdir -p /srv/pki /srv/collected; cd /srv/pki
for ca in ca stranger; do
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$ca" -keyout $ca.key -out $ca.pem 2>/dev/null
done
sign() {
  openssl req -newkey rsa:2048 -nodes -subj "/CN=$2" -keyout $1.key -out $1.csr 2>/dev/null
  printf "subjectAltName=DNS:$2" > $1.ext
  openssl x509 -req -in $1.csr -CA $3.pem -CAkey $3.key -CAcreateserial \
    -days 2 -extfile $1.ext -out $1.pem 2>/dev/null
}
sign collector collector.test ca; sign impostor collector.test stranger; sign node edge-a-1 ca
echo 127.0.0.1 collector.test >> /etc/hosts; chmod -R a+rX /srv/pki
"""
# libaudit's own parser, which needs no kernel: every field and system call of every rule is understood.
PARSER = Path(__file__).parent / "audit_rules_parser.py"
FRONT = Path(__file__).parent / "tls_front.py"


@pytest.fixture(scope="module")
def node(lone_node_module):
    return lone_node_module


@pytest.fixture(scope="module")
def collector(node):
    """A real collector on the node itself: systemd-journal-remote behind TLS that asks for a certificate."""
    proxy = node.inventory["all"]["children"]["nodes"]["children"]["edge"]["hosts"][node.name][
        "patching_proxy"
    ]
    apt = f"apt-get -q -o Acquire::http::Proxy=http://{proxy['address']}:{proxy['port']}"
    installed = node.sudo(
        f"{apt} update && {apt} -y -o Dpkg::Options::=--force-confold install systemd-journal-remote auditd",
        timeout=600,
    )
    assert installed.returncode == 0, installed.stderr
    made = node.sudo(AUTHORITY)
    assert made.returncode == 0, made.stderr
    return node


def listen(node, name="collector"):
    """Start the collector, and TLS in front of it with the certificate of that name; an earlier one ends."""
    remote = "/lib/systemd/systemd-journal-remote --listen-http=19533 --split-mode=none"
    front = f"python3 /srv/front.py /srv/pki/{name}.pem /srv/pki/{name}.key /srv/pki/ca.pem 19532 19533"
    text = base64.b64encode(FRONT.read_bytes()).decode()
    started = node.sudo(
        f"echo {text} | base64 -d > /srv/front.py; systemctl stop stk-front stk-collector 2>/dev/null;"
        f" systemd-run --collect --unit stk-collector {remote} --output=/srv/collected/journal.journal"
        f" && systemd-run --collect --unit stk-front {front}"
    )
    assert started.returncode == 0, started.stderr


def collected(node):
    """The numbers of our messages that have arrived, in their order, each once."""
    shown = node.sudo("journalctl --file /srv/collected/journal.journal -t stockade-line -o cat --no-pager")
    return list(dict.fromkeys(shown.stdout.split()))


def wait_for(node, wanted, seconds=150):
    """What has arrived, as soon as it is what is wanted."""
    deadline = time.monotonic() + seconds
    while (have := collected(node)) != wanted and time.monotonic() < deadline:
        time.sleep(0.5)
    return have


def say(node, *words):
    node.sudo("; ".join(f"logger --tag stockade-line {word}" for word in words) + "; journalctl --sync")


def test_a_check_of_a_blank_node_changes_nothing(node):
    outcome = run_roles(node, "audit", check=True)
    assert outcome.code == 0, outcome.output
    assert outcome.changed
    assert node.sudo("ls /etc/audit/rules.d /etc/systemd/journald.conf.d/zz-stockade.conf").stdout == ""


def test_the_journal_is_bounded_at_once(collector):
    node = collector
    harden(node, "audit", audit_journal_max_mb=100)
    assert "/var/log/journal/" in node.sudo(LAST_WORD).stdout
    assert "max 100.0M" in node.sudo(LAST_WORD).stdout


def test_the_journal_of_the_boot_before_is_still_there(node):
    node.sudo("logger --tag stockade-test before-the-power-cut; journalctl --sync")
    node.power_cut()
    node.start()
    assert "before-the-power-cut" in node.sudo("journalctl -b -1 -t stockade-test -o cat").stdout


def test_a_small_filesystem_is_shared_not_given_up(node):
    """With less free than it has to leave journald keeps nothing, so its bounds shrink with the disk."""
    small = "mount -t tmpfs -o size={}m tmpfs /var/log/journal && systemctl restart systemd-journald"
    node.sudo(small.format(256))
    try:
        harden(node, "audit")
        assert "max 153.0M" in node.sudo("journalctl --flush; " + LAST_WORD).stdout
        assert node.sudo("umount -l /var/log/journal && " + small.format(96)).returncode == 0
        outcome = run_roles(node, "audit")
        assert outcome.code != 0
        assert "the journal would have 57 MiB" in outcome.output
    finally:
        node.sudo("umount -l /var/log/journal; systemctl restart systemd-journald")


def test_too_short_a_retention_is_refused(node):
    outcome = run_roles(node, "audit", audit_retention_days=30)
    assert outcome.code != 0
    assert "audit_retention_days is 30; logs are kept for 180 days or longer" in outcome.output


@pytest.mark.parametrize(
    ("forward", "key"),
    [
        (
            {
                "url": "http://collector.test:19532",
                "ca": "BEGIN CERTIFICATE",
                "certificate": "BEGIN CERTIFICATE",
            },
            "k",
        ),
        ({"url": "https://collector.test:19532"}, "-----BEGIN PRIVATE KEY-----"),
    ],
)
def test_a_collector_in_clear_or_unknown_is_refused(node, forward, key):
    outcome = run_roles(node, "audit", audit_forward=forward, audit_forward_key=key)
    assert outcome.code != 0
    assert "records travel over TLS to a collector that is known" in outcome.output


def test_records_reach_the_collector_over_tls_and_the_key_is_in_no_output(collector):
    listen(collector)
    files = {
        name: collector.sudo(f"cat /srv/pki/{name}").stdout for name in ("ca.pem", "node.pem", "node.key")
    }
    given = {
        "audit_forward": {
            "url": "https://collector.test:19532",
            "ca": files["ca.pem"],
            "certificate": files["node.pem"],
        },
        "audit_forward_key": files["node.key"],
        "audit_forward_retry_seconds": 1,
        "audit_journal_max_mb": 200,
    }
    outcome = harden(collector, "audit", **given)
    assert files["node.key"].splitlines()[1] not in outcome.output
    assert "max 200.0M" in collector.sudo(LAST_WORD).stdout, "another bound takes effect"
    assert harden(collector, "audit", **given).changed == ()
    say(collector, "one")
    assert wait_for(collector, ["one"]) == ["one"]


def test_what_is_said_while_the_line_is_cut_arrives_when_it_is_back(collector):
    assert collector.sudo(CUT).returncode == 0
    collector.sudo("systemctl stop stk-front stk-collector")
    say(collector, "two", "three")
    collector.power_cut()
    collector.start()
    collector.sudo(CUT)
    say(collector, "four")
    assert collected(collector) == ["one"]
    collector.sudo("nft delete table inet cut")
    listen(collector)
    assert wait_for(collector, ["one", "two", "three", "four"]) == ["one", "two", "three", "four"]


def test_a_collector_with_a_certificate_of_somebody_else_gets_nothing(collector):
    listen(collector, "impostor")
    collector.sudo("systemctl restart systemd-journal-upload")
    say(collector, "secret")
    assert wait_for(collector, [], seconds=3)[-1] == "four"
    said = collector.sudo("journalctl -u systemd-journal-upload -n 20 -o cat --no-pager").stdout
    assert re.search(r"SSL|certificate", said), said
    listen(collector)
    assert wait_for(collector, ["one", "two", "three", "four", "secret"])[-1] == "secret"


def test_a_sender_without_a_certificate_of_ours_is_refused_by_the_collector(collector):
    """So what arrived above has arrived because the node proved itself, with the key from its credentials."""
    unknown = (
        "openssl s_client -connect 127.0.0.1:19532 -CAfile /srv/pki/ca.pem -verify_hostname collector.test"
    )
    collector.sudo(f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | timeout 60 {unknown} -quiet")
    word = "PEER_DID_NOT_RETURN_A_CERTIFICATE"
    said = f"for i in $(seq 300); do journalctl -u stk-front -o cat | grep -q {word} && exit; sleep 0.2; done"
    assert collector.sudo(f"{said}; exit 1").returncode == 0


def test_the_lock_is_the_last_rule_of_all(node):
    """augenrules joins the files in this order; -e 2 anywhere else would shut out the rules after it."""
    joined = node.sudo("augenrules --check; cat /etc/audit/audit.rules").stdout
    assert "No change" in joined.splitlines()[0]
    kept = [line for line in joined.splitlines()[1:] if line and not line.startswith("#")]
    assert kept[0] == "-D"
    assert kept[-1] == "-e 2"
    assert sum(line.startswith("-e") for line in kept) == 1


def test_a_disk_that_fills_up_with_records_is_said_aloud(node):
    """By the program that auditd calls then: a line at a level that the forwarded journal keeps."""
    called = node.sudo("grep -oP '(?<=^space_left_action = EXEC ).*' /etc/audit/auditd.conf").stdout.strip()
    assert called and node.sudo(called).returncode == 0
    said = node.sudo("journalctl --sync; journalctl -t stockade-audit -p crit -o cat").stdout
    assert "only a quarter of the disk" in said


def test_every_rule_is_understood_by_the_audit_library(node):
    text = base64.b64encode(PARSER.read_bytes()).decode()
    run = f"echo {text} | base64 -d > /srv/parser.py; python3 /srv/parser.py"
    done = node.sudo(f"{run} /etc/audit/audit.rules")
    assert done.returncode == 0, done.stdout
    counted = re.search(r"(\d+) rules", done.stdout)
    assert counted is not None
    assert int(counted[1]) > 60
    node.sudo("echo '-a always,exit -F arch=b64 -S mont -F auid>=1000 -F key=x' > /srv/wrong.rules")
    assert "mont" in node.sudo("python3 /srv/parser.py /srv/wrong.rules").stdout


def test_auditd_reads_its_configuration_and_does_not_fail_where_the_kernel_is_a_hosts(node):
    """The daemon reads all of it before it asks for a kernel that this node has not."""
    said = node.sudo("timeout 5 auditd -f 2>&1").stdout
    assert "audit support not in kernel" in said or "Error - can" in said or "Unable" in said, said
    assert not re.search(r"line \d+|option .* is not|should be|unknown", said, re.IGNORECASE), said
    node.sudo("systemctl start auditd")
    assert node.sudo("systemctl is-enabled auditd").stdout.strip() == "enabled"
    assert node.sudo("systemctl is-failed auditd").stdout.strip() == "inactive"
