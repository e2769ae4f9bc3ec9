"""Services: what listens, what may run, where programs may lie, which TLS is spoken."""

from __future__ import annotations

import ipaddress
import json
import re

import pytest

from tests.nodes import handshakes

# Clients without encryption, second time services and the like; servers by the number of CIS Debian 12 1.1.
UNWANTED = {
    "apport", "ftp", "inetutils-telnet", "ldap-utils", "nis", "ntp", "ntpdate", "ntpsec", "prelink",
    "popularity-contest", "rsh-client", "rsh-redone-client", "systemd-timesyncd", "talk", "telnet",
    "tftp-hpa", "tnftp",
}  # fmt: skip
SERVERS = {
    "2.1.1": {"autofs"}, "2.1.2": {"avahi-daemon"}, "2.1.3": {"isc-dhcp-server", "kea-dhcp4-server"},
    "2.1.4": {"bind9"}, "2.1.5": {"dnsmasq"}, "2.1.6": {"vsftpd"}, "2.1.7": {"slapd"},
    "2.1.8": {"dovecot-core"},
    "2.1.9": {"nfs-kernel-server"}, "2.1.10": {"ypserv"}, "2.1.11": {"cups", "cups-daemon"},
    "2.1.12": {"rpcbind"}, "2.1.13": {"rsync"}, "2.1.14": {"samba"}, "2.1.15": {"snmpd"},
    "2.1.16": {"tftpd-hpa"}, "2.1.17": {"squid"}, "2.1.19": {"xinetd"},
    "2.1.20": {"xserver-common", "xserver-xorg-core"},
    "others": {"inetutils-inetd", "inetutils-telnetd", "openbsd-inetd", "rsh-server", "rsh-redone-server",
               "talkd", "telnetd", "gdm3"},
}  # fmt: skip
# 2.1.18: package → its process, which serves a port that the intent names; any other is one too many.
WEB_SERVERS = {"apache2": "apache2", "caddy": "caddy", "lighttpd": "lighttpd", "nginx": "nginx"}
MAIL_PORTS = {25, 465, 587}
# The highest score of `systemd-analyze security` (0 is closed, 10 is open) of services that we shape.
EXPOSURE = {
    "chrony.service": 3.0,
    "stockade-firewall.service": 2.0,
    "stockade-integrity-check.service": 1.5,
    "stockade-integrity-init.service": 1.5,
    # It mounts for everybody, so nothing may give it a view of its own: one capability is left.
    "stockade-mount-options.service": 3.5,
    "stockade-patching-settle.service": 2.0,
    # They put back whatever an access-critical change touched: files, accounts, packet filter
    "stockade-revert.service": 6.5,
    "stockade-watch.service": 6.5,
    "stockade-sudo-records.service": 1.5,
}
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
timeout 25 openssl s_server -accept 127.0.0.1:0 -key key -cert cert -www >said 2>err & p=$!
for i in $(seq 200); do
  grep -q '^ACCEPT' said && break; kill -0 $p 2>/dev/null || break; sleep 0.1
done
grep -q '^ACCEPT' said && echo started || echo "refused $(head -1 err)"
"""


@pytest.fixture(scope="module")
def units(host):
    """Unit files and their state."""
    lines = host.check_output("systemctl list-unit-files --no-legend --plain").splitlines()
    return {line.split()[0]: line.split()[1] for line in lines if len(line.split()) > 1}


@pytest.fixture(scope="module")
def installed(host):
    """Names of all packages that left anything on the node."""
    shown = host.check_output(INSTALLED).splitlines()
    return {line.split()[1] for line in shown if not line.startswith("not-installed")}


@pytest.fixture(scope="module")
def declared(node, region):
    """What the firewall intent lets reach this node's role: {(protocol, port)}."""
    return {
        (flow["protocol"], flow["port"])
        for flow in region["intent"]["flows"]
        if flow["target"]["kind"] == "role" and flow["target"]["name"] == node["role"]
    }


@pytest.fixture(scope="module")
def listening(host):
    """Sockets that listen beyond loopback: (protocol, port, address, process)."""
    found = []
    for line in host.check_output("ss -H -t -u -l -n -p").splitlines():
        fields = line.split()
        address, _, port = fields[4].rpartition(":")
        bare = address.strip("[]").split("%")[0]
        if bare in ("*", "") or not ipaddress.ip_address(bare).is_loopback:
            found.append((fields[0], int(port), fields[4], fields[-1]))
    assert found, "not even sshd listens: nothing was looked at"
    return found


@pytest.mark.control("STK-SVC-001")
def test_packages_that_no_node_should_carry_are_gone(installed):
    assert installed & UNWANTED == set()
    # Without this the check would also pass on a node whose packages nobody has chosen.
    needed = {"chrony", "libpam-modules", "libpam-pwquality", "libpam-runtime", "nftables", "sudo"}
    assert (needed | {"unattended-upgrades"}) - installed == set()


@pytest.mark.control("STK-SVC-013")
def test_servers_that_no_node_needs_are_not_installed(installed, declared, listening):
    here = {number: sorted(names & installed) for number, names in SERVERS.items() if names & installed}
    assert here == {}
    serving = {process for *row, _, process in listening if tuple(row) in declared}
    idle = {
        name
        for name in WEB_SERVERS.keys() & installed
        if not any(f'"{WEB_SERVERS[name]}"' in p for p in serving)
    }
    assert idle == set(), "a web server that serves nothing which the intent names"
    assert "openssh-server" in installed, "the list of packages could not be read"


@pytest.mark.control("STK-SVC-002")
def test_every_listening_socket_is_in_the_intent(declared, listening):
    """Beyond loopback a node listens where the firewall intent names its role, and nowhere else."""
    explained = declared | DHCP_CLIENT
    assert [row for row in listening if row[:2] not in explained] == []


@pytest.mark.control("STK-SVC-014")
def test_no_mail_is_taken_from_others(listening):
    assert [row for row in listening if row[0] == "tcp" and row[1] in MAIL_PORTS] == []


@pytest.mark.control("STK-SVC-015")
def test_scheduled_jobs_run(units):
    """cron where it is installed, and systemd's timers, which carry our own jobs."""
    assert units.get("cron.service", "enabled") == "enabled"
    assert units.get("stockade-sudo-records.timer") == "enabled"


@pytest.mark.control("STK-SVC-016")
def test_services_that_we_shape_are_closed_in(host):
    """systemd's own score of each, 0 to 10; what a service may not do, a fault in it cannot do either."""
    said = host.run(f"systemd-analyze security --no-pager {' '.join(EXPOSURE)}")
    scores = dict(re.findall(r"exposure level for (\S+): ([0-9.]+)", said.stdout))
    assert {unit: float(score) for unit, score in scores.items() if float(score) > EXPOSURE[unit]} == {}
    assert set(scores) == set(EXPOSURE), said.stderr
    ours = host.run("systemctl list-unit-files --no-legend 'stockade-*.service'").stdout.splitlines()
    assert {line.split()[0] for line in ours} - set(EXPOSURE) == set(), "nobody stated a bound for these"


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
