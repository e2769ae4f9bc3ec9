"""Services: what listens, what may run, where programs may lie, which TLS is spoken."""

from __future__ import annotations

import ipaddress
import json
import re

import pytest

from tests.nodes import handshakes

UNWANTED = {
    "apport", "avahi-daemon", "cups", "cups-daemon", "dnsmasq", "ftp", "inetutils-inetd",
    "inetutils-telnet", "inetutils-telnetd", "isc-dhcp-server", "ldap-utils", "nfs-kernel-server", "nis",
    "ntp", "ntpdate", "ntpsec", "openbsd-inetd", "popularity-contest", "prelink", "rpcbind", "rsh-client",
    "rsh-redone-client", "rsh-server", "samba", "slapd", "snmpd", "systemd-timesyncd", "talk", "talkd",
    "telnet", "telnetd", "tftp-hpa", "tftpd-hpa", "tnftp", "vsftpd", "xinetd", "xserver-common", "ypserv",
}  # fmt: skip
INSTALLED = "dpkg-query --show --showformat '${db:Status-Status} ${Package}\\n'"
UNNEEDED = (
    "avahi-daemon.service|bluetooth.service|cups.service|debug-shell.service|nfs-server.service|rpcbind.service|"
    "rpcbind.socket|rsync.service|systemd-timesyncd.service"
)
# DHCP clients of the machine itself (RFC 2131, RFC 8415) listen on these; they are no service to others.
DHCP_CLIENT = {("udp", 68), ("udp", 546)}
# A server with 1,024 bits of RSA; openssl says where it listens, or why it does not start.
WEAK_KEY = """
d=$(mktemp --directory /var/tmp/stockade-verify.XXXXXX) && trap 'kill $p 2>/dev/null; rm -rf "$d"' EXIT
cd "$d" || exit 3
openssl req -x509 -newkey rsa:1024 -nodes -keyout key -out cert -days 1 -subj /CN=localhost 2>/dev/null
timeout 10 openssl s_server -accept 127.0.0.1:0 -key key -cert cert -www >said 2>err & p=$!
for i in 1 2 3 4 5 6 7 8 9 10; do
  grep -q '^ACCEPT' said && break; kill -0 $p 2>/dev/null || break; sleep 0.1
done
grep -q '^ACCEPT' said && echo started || echo "refused $(head -1 err)"
"""


PROGRAM_IN_TMP = """
f=$(mktemp /tmp/stockade-verify.XXXXXX) && cp /bin/true $f && chmod 755 $f; $f; c=$?; rm -f $f; exit $c
"""


@pytest.fixture(scope="module")
def units(host):
    """Unit files and their state."""
    lines = host.check_output("systemctl list-unit-files --no-legend --plain").splitlines()
    return {line.split()[0]: line.split()[1] for line in lines if len(line.split()) > 1}


@pytest.fixture(scope="module")
def mounts(host):
    """Mount point to its options; the last mount of a place is the one that counts."""
    rows = [line.split() for line in host.file("/proc/mounts").content_string.splitlines()]
    return {row[1]: set(row[3].split(",")) for row in rows}


@pytest.mark.control("STK-SVC-001")
def test_packages_that_no_node_should_carry_are_gone(host):
    shown = host.check_output(INSTALLED).splitlines()
    here = {line.split()[1] for line in shown if not line.startswith("not-installed")}
    assert here & UNWANTED == set()
    # Without this the check would also pass on a node whose packages nobody has chosen.
    needed = {"chrony", "libpam-pwquality", "nftables", "sudo", "unattended-upgrades"}
    assert needed - here == set()


@pytest.mark.control("STK-SVC-002")
def test_every_listening_socket_is_in_the_intent(host, node, region):
    """Beyond loopback a node listens where the firewall intent names its role, and nowhere else."""
    flows = region["intent"]["flows"]
    mine = {
        (flow["protocol"], flow["port"])
        for flow in flows
        if flow["target"]["kind"] == "role" and flow["target"]["name"] == node["role"]
    }
    unexplained = []
    for line in host.check_output("ss -H -t -u -l -n -p").splitlines():
        fields = line.split()
        address, _, port = fields[4].rpartition(":")
        bare = address.strip("[]").split("%")[0]
        if bare not in ("*", "") and ipaddress.ip_address(bare).is_loopback:
            continue
        if (fields[0], int(port)) not in mine | DHCP_CLIENT:
            unexplained.append(f"{fields[0]} {fields[4]} {fields[-1]}")
    assert unexplained == []


@pytest.mark.control("STK-SVC-003")
def test_units_that_no_node_needs_cannot_start(units):
    loose = {
        name: state for name, state in units.items() if re.fullmatch(UNNEEDED, name) and state != "masked"
    }
    assert loose == {}


@pytest.mark.control("STK-SVC-004")
def test_ctrl_alt_del_does_nothing(host):
    assert host.run("systemctl is-enabled ctrl-alt-del.target").stdout.strip() == "masked"


@pytest.mark.control("STK-SVC-005")
def test_only_named_users_schedule_jobs(host):
    """cron and at ask the allow list; a deny list would let everybody else in."""
    listed = host.run("cat /etc/cron.allow /etc/at.allow").stdout.split()
    assert set(listed) == {"root"}
    assert host.run("ls /etc/cron.deny /etc/at.deny 2>/dev/null").stdout.split() == []
    if host.run("command -v crontab").rc == 0:
        refused = host.run("runuser --user nobody -- crontab -l")
        assert "not allowed" in refused.stderr, refused.stderr


@pytest.mark.control("STK-SVC-006")
def test_no_program_runs_from_tmp(host, mounts):
    assert {"nodev", "nosuid", "noexec"} - mounts.get("/tmp", set()) == set()
    tried = host.run(PROGRAM_IN_TMP)
    assert tried.rc == 126, "a program ran from /tmp"


@pytest.mark.control("STK-SVC-007")
def test_no_program_runs_from_shared_memory(mounts):
    assert {"nodev", "nosuid", "noexec"} - mounts.get("/dev/shm", set()) == set()


@pytest.fixture(scope="module")
def agreed(host):
    """{"<library> <side> <offer>": suite or `refused`} of real handshakes, see handshakes.py."""
    answer = host.run(f"python3 -I - <<'PROBE'\n{handshakes.source()}\nPROBE", seconds=60)
    assert answer.rc == 0, f"no handshake could be tried: {answer.stderr[-300:]}"
    found = json.loads(answer.stdout)
    assert len(found) == 4 * len(handshakes.OFFERS)
    return found


@pytest.mark.control("STK-SVC-008")
def test_tls_below_1_2_is_refused(agreed):
    """As server and as client, by both libraries; newer protocols prove that each of them answers."""
    assert {how: what for how, what in agreed.items() if "tls1 " in f"{how} " and what != "refused"} == {}
    assert {how: what for how, what in agreed.items() if "tls1_1" in how and what != "refused"} == {}
    assert [
        how for how, what in agreed.items() if "aes256" in how and what in ("refused", "not started")
    ] == []


@pytest.mark.control("STK-SVC-012")
def test_only_suites_with_aes_256_are_agreed(agreed):
    assert {how: what for how, what in agreed.items() if "aes128" in how and what != "refused"} == {}
    used = {what.replace("_", "").replace("-", "") for what in agreed.values()} - {"refused"}
    assert used, "nothing was agreed at all"
    assert [what for what in used if "AES256GCM" not in what] == []


@pytest.mark.control("STK-SVC-009")
def test_a_server_does_not_start_with_a_weak_key(host):
    """1,024 bits of RSA are 80 bits of security; level 2 asks for 112 (NIST SP 800-57 part 1)."""
    said = host.run(WEAK_KEY).stdout
    assert said.startswith("refused"), said


@pytest.mark.control("STK-SVC-010")
def test_openssl_states_its_policy_itself(host):
    """The refusal above must not hang on how a distribution happened to compile the library."""
    suites = host.check_output("openssl ciphers -s").split(":")
    assert [
        suite for suite in suites if not suite.replace("_", "-").count("AES-256") and "AES256" not in suite
    ] == []
    level = host.check_output("openssl ciphers -s -v 'DEFAULT@SECLEVEL=0' | wc -l")
    assert int(level) > len(suites), "openssl would know more, so it was told to leave the rest out"


@pytest.mark.control("STK-SVC-011")
def test_no_unit_has_failed(host):
    assert host.check_output("systemctl list-units --failed --no-legend --plain") == ""
