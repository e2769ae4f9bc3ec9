"""Services: what listens, what may run, where programs may lie, which TLS is spoken."""

from __future__ import annotations

import ipaddress
import re

import pytest

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
# A server of the node's own OpenSSL with its defaults, and a client that would accept anything.
GOOD_KEY = "ec -pkeyopt ec_paramgen_curve:P-256"
HANDSHAKE = r"""
d=$(mktemp --directory /var/tmp/stockade-verify.XXXXXX) && trap 'kill $p 2>/dev/null; rm -rf "$d"' EXIT
cd "$d" || exit 3
openssl req -x509 -newkey {key} -nodes -keyout key -out cert -days 1 -subj /CN=localhost 2>/dev/null
timeout 10 openssl s_server -accept 127.0.0.1:0 -key key -cert cert -www >said 2>err & p=$!
for i in 1 2 3 4 5 6 7 8 9 10; do
  grep -q '^ACCEPT' said && break; kill -0 $p 2>/dev/null || break; sleep 0.1
done
port=$(sed -n 's/^ACCEPT .*:\([0-9]*\).*/\1/p' said)
echo "server ${{port:-refused}} $(head -1 err)"
for v in {versions}; do
  printf 'Q\n' | OPENSSL_CONF=/dev/null timeout 5 openssl s_client -connect "127.0.0.1:$port" -$v \
    -cipher ALL:@SECLEVEL=0 >client 2>&1 && echo "$v accepted" || echo "$v refused"
done
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


@pytest.mark.control("STK-SVC-008")
def test_tls_below_1_2_is_refused(host):
    """A real handshake against a server with the node's defaults; newer protocols prove that it answers."""
    said = host.run(HANDSHAKE.format(key=GOOD_KEY, versions="tls1 tls1_1 tls1_2 tls1_3")).stdout.splitlines()
    verdicts = dict(line.split(" ")[:2] for line in said[1:])
    assert verdicts == {"tls1": "refused", "tls1_1": "refused", "tls1_2": "accepted", "tls1_3": "accepted"}, (
        said
    )


@pytest.mark.control("STK-SVC-009")
def test_a_server_does_not_start_with_a_weak_key(host):
    """1,024 bits of RSA are 80 bits of security; level 2 asks for 112 (NIST SP 800-57 part 1)."""
    said = host.run(HANDSHAKE.format(key="rsa:1024", versions="")).stdout
    assert said.startswith("server refused"), said


@pytest.mark.control("STK-SVC-010")
def test_openssl_states_its_minimum_itself(host):
    """The refusal above must not hang on how a distribution happened to compile the library."""
    text = host.file("/etc/ssl/openssl.cnf").content_string
    stated = dict(re.findall(r"(?m)^(MinProtocol|CipherString)\s*=\s*(\S+)", text))
    assert stated.get("MinProtocol") in ("TLSv1.2", "TLSv1.3")
    assert re.search(r"SECLEVEL=[23]$", stated.get("CipherString", ""))


@pytest.mark.control("STK-SVC-011")
def test_no_unit_has_failed(host):
    assert host.check_output("systemctl list-units --failed --no-legend --plain") == ""
