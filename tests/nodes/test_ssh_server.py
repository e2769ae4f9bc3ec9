"""The ssh server, judged by its effective settings (`sshd -T`) and by what a client of it sees."""

from __future__ import annotations

import re
from ipaddress import ip_network

import pytest

CIPHERS = {"aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com"}
KEX = {
    *("sntrup761x25519-sha512@openssh.com", "sntrup761x25519-sha512", "mlkem768x25519-sha256"),
    *("curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp521", "ecdh-sha2-nistp384"),
}
WEAK_KEYS = {"ssh-rsa", "ssh-dss", "ssh-rsa-cert-v01@openssh.com", "ssh-dss-cert-v01@openssh.com"}
CLIENT = "ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"


def settings_of(host, *arguments):
    """`sshd -T` as {keyword: [values]}; a node whose sshd does not answer fails, it does not error."""
    answer = host.run(" ".join(["sshd -T", *arguments]))
    assert answer.rc == 0, f"sshd does not accept its own configuration: {answer.stderr}"
    found: dict[str, list[str]] = {}
    for line in answer.stdout.splitlines():
        key, _, value = line.partition(" ")
        found.setdefault(key, []).append(value)
    return found


@pytest.fixture(scope="module")
def sshd(host):
    """What every login gets."""
    return settings_of(host)


@pytest.fixture(scope="module")
def for_users(host, region):
    """What whoever may come from wherever gets, Match blocks included: {"user address": settings}."""
    shells = [row.split(":") for row in host.check_output("getent passwd").splitlines()]
    people = {row[0] for row in shells if row[6].endswith("sh") and int(row[2]) >= 1000}
    ranges = [str(block) for site in region["sites"].values() for block in site["ranges"]]
    sources = {"192.0.2.1", *(str(next(ip_network(block).hosts())) for block in ranges)}
    cases = [(user, source) for user in sorted({"root", "admin", *people}) for source in sorted(sources)]
    return {
        f"{user} {source}": settings_of(host, f"-C user={user},host=x,addr={source},laddr=192.0.2.2,lport=22")
        for user, source in cases[:40]
    }


def one(settings, key):
    """The only value of a keyword."""
    assert len(settings.get(key, [])) == 1, f"{key} has the values {settings.get(key)}"
    return settings[key][0]


def listed(settings, key):
    """A comma-separated value as a set."""
    return set(one(settings, key).split(","))


@pytest.mark.control("STK-SSH-001")
def test_nobody_logs_in_with_a_password(sshd, for_users):
    for who, settings in {"everybody": sshd, **for_users}.items():
        off = ("passwordauthentication", "kbdinteractiveauthentication", "permitemptypasswords")
        assert {key: one(settings, key) for key in off} == dict.fromkeys(off, "no"), who
        assert one(settings, "authenticationmethods") == "publickey", who


@pytest.mark.control("STK-SSH-002")
def test_root_does_not_log_in(sshd, for_users):
    assert one(sshd, "permitrootlogin") == "no"
    assert [who for who, settings in for_users.items() if one(settings, "permitrootlogin") != "no"] == []


@pytest.mark.control("STK-SSH-003")
def test_only_members_of_the_login_group_come_in(host, sshd):
    assert sshd.get("allowgroups") == ["ssh-users"]
    members = host.run("getent group ssh-users").stdout.strip().rpartition(":")[2]
    assert "root" not in members.split(",")
    assert members, "nobody is in the group: everybody is locked out"


@pytest.mark.control("STK-SSH-004")
def test_ciphers_are_authenticated_with_256_bit_keys(sshd):
    assert listed(sshd, "ciphers") <= CIPHERS
    assert "aes256-gcm@openssh.com" in listed(sshd, "ciphers")


@pytest.mark.control("STK-SSH-005")
def test_key_exchanges_are_modern_and_the_hybrid_comes_first(sshd):
    assert listed(sshd, "kexalgorithms") <= KEX
    assert one(sshd, "kexalgorithms").split(",")[0].startswith(("sntrup761", "mlkem768"))


@pytest.mark.control("STK-SSH-006")
def test_messages_are_authenticated_after_encryption(sshd):
    weak = {mac for mac in listed(sshd, "macs") if "-etm@" not in mac or not mac.startswith("hmac-sha2-")}
    assert weak == set()


@pytest.mark.control("STK-SSH-007")
def test_host_keys_are_strong_and_only_root_reads_them(host, sshd):
    assert not listed(sshd, "hostkeyalgorithms") & WEAK_KEYS
    keys = " ".join(sshd["hostkey"])
    assert keys, "sshd offers no host key"
    for line in host.run(f"for k in {keys}; do ssh-keygen -lf $k; done").stdout.splitlines():
        bits, kind = int(line.split()[0]), line.rsplit("(", 1)[1].rstrip(")")
        assert (kind == "ED25519") or (kind == "RSA" and bits >= 3072) or (kind == "ECDSA" and bits >= 384), (
            line
        )
    modes = host.run(f"stat -c '%U %a' {keys}").stdout.split("\n")
    assert {mode for mode in modes if mode} <= {"root 600", "root 640", "root 400"}


@pytest.mark.control("STK-SSH-008")
def test_sessions_forward_nothing(sshd, for_users, node):
    """A bastion is there to be passed, by TCP connections that its clients open and nothing else."""
    passable = node.get("kind") == "bastion"
    allowed = {"no", "local"} if passable else {"no"}
    off = (
        "x11forwarding",
        "allowagentforwarding",
        "allowstreamlocalforwarding",
        "permittunnel",
        "gatewayports",
    )
    for who, settings in {"everybody": sshd, **for_users}.items():
        assert passable or one(settings, "disableforwarding") == "yes", who
        assert one(settings, "allowtcpforwarding") in allowed, who
        assert {key: one(settings, key) for key in off} == dict.fromkeys(off, "no"), who


@pytest.mark.control("STK-SSH-009")
def test_a_login_has_few_tries_and_little_time(sshd):
    assert 1 <= int(one(sshd, "maxauthtries")) <= 4
    assert 1 <= int(one(sshd, "logingracetime")) <= 60


@pytest.mark.control("STK-SSH-010")
def test_connections_before_login_are_bounded(sshd):
    start, percent, full = map(int, one(sshd, "maxstartups").split(":"))
    assert start <= 10
    assert percent >= 30
    assert full <= 60
    assert 1 <= int(one(sshd, "maxsessions")) <= 10


@pytest.mark.control("STK-SSH-011")
def test_sessions_of_vanished_clients_are_closed(sshd):
    interval, count = int(one(sshd, "clientaliveinterval")), int(one(sshd, "clientalivecountmax"))
    assert interval > 0
    assert count > 0, "0 switches the check off"
    assert interval * count <= 900


@pytest.mark.control("STK-SSH-012")
def test_a_banner_without_product_names_stands_before_the_login(host, sshd):
    banner = one(sshd, "banner")
    assert banner != "none"
    text = host.run(f"cat {banner}").stdout.lower()
    assert "authorised" in text or "authorized" in text
    assert not [word for word in ("debian", "ubuntu", "linux", "openssh", "\\") if word in text]
    hello = host.run(f"timeout 25 bash -c 'exec 3<>/dev/tcp/127.0.0.1/{sshd['port'][0]}; head -1 <&3'").stdout
    assert hello.startswith("SSH-2.0-"), hello
    assert "debian" not in hello.lower()


@pytest.mark.control("STK-SSH-013")
def test_logins_are_recorded_with_the_keys_fingerprint(sshd):
    assert one(sshd, "loglevel") == "VERBOSE"
    assert one(sshd, "syslogfacility") in ("AUTH", "AUTHPRIV")


@pytest.mark.control("STK-SSH-014")
def test_other_ways_to_log_in_are_off(sshd):
    assert one(sshd, "hostbasedauthentication") == "no"
    # Left out of `sshd -T` where the build does not know them.
    built_in = {key: sshd[key] for key in ("gssapiauthentication", "kerberosauthentication") if key in sshd}
    assert [key for key, value in built_in.items() if value != ["no"]] == []
    assert one(sshd, "ignorerhosts") == "yes"
    assert one(sshd, "authenticationmethods") == "publickey"


@pytest.mark.control("STK-SSH-015")
def test_users_bring_neither_environment_nor_script(sshd):
    assert one(sshd, "permituserenvironment") == "no"
    assert one(sshd, "permituserrc") == "no"
    assert one(sshd, "strictmodes") == "yes"


@pytest.mark.control("STK-SSH-016")
def test_only_root_writes_the_configuration(host):
    found = host.run(
        "find /etc/ssh/sshd_config /etc/ssh/sshd_config.d \\( ! -user root -o ! -group root -o -perm /022 \\)"
    )
    assert found.rc == 0, found.stderr
    assert found.stdout.split() == []
    ours = host.run("stat -c '%U %a' /etc/ssh/sshd_config.d/00-stockade.conf").stdout.strip()
    assert ours == "root 600"


@pytest.mark.control("STK-SSH-017")
def test_weak_client_keys_are_refused(sshd):
    assert int(one(sshd, "requiredrsasize")) >= 3072
    assert not listed(sshd, "pubkeyacceptedalgorithms") & WEAK_KEYS


@pytest.mark.control("STK-SSH-018")
def test_a_weak_client_is_turned_away_by_the_running_server(host, sshd):
    # What stands there beats every file, and `sshd -T` does not know of it.
    running = host.run("tr '\\0' ' ' < /proc/$(systemctl show --value -p MainPID ssh.service)/cmdline").stdout
    assert "sshd" in running
    assert not re.search(r" -[of]", running), f"the server's settings are not those of its files: {running}"
    port = sshd["port"][0]
    tries = {
        "a short cipher": ("-o Ciphers=aes128-ctr", "no matching cipher"),
        "a weak exchange": ("-o KexAlgorithms=diffie-hellman-group14-sha256", "no matching key exchange"),
        "a bare MAC": ("-o Ciphers=aes256-ctr -o MACs=hmac-sha2-256", "no matching"),
    }
    script = "; ".join(
        f"{CLIENT} {options} -p {port} nobody@127.0.0.1 true 2>&1 | tail -1" for options, _ in tries.values()
    )
    answers = host.run(script).stdout.splitlines()
    assert len(answers) == len(tries)
    for (what, (_, refusal)), answer in zip(tries.items(), answers, strict=True):
        assert refusal in answer, f"{what}: {answer}"
    said = host.run(
        f"{CLIENT} -o PreferredAuthentications=password,keyboard-interactive -p {port} nobody@127.0.0.1 true"
    )
    assert "Permission denied (publickey)." in said.stderr, said.stderr


@pytest.mark.control("STK-SSH-019")
def test_logins_pass_the_account_rules_of_pam(host, sshd):
    assert one(sshd, "usepam") == "yes"
    assert "pam_unix" in host.run("grep -hE '^account' /etc/pam.d/common-account").stdout


@pytest.mark.control("STK-SSH-020")
def test_no_host_key_lies_about_that_is_not_offered(host, sshd):
    private = host.run("ls /etc/ssh/ssh_host_*_key").stdout.split()
    assert private
    assert set(private) - set(sshd["hostkey"]) == set()
    public = host.run("stat -c '%n %U %a' /etc/ssh/ssh_host_*_key.pub").stdout.splitlines()
    assert public
    loose = [line for line in public if line.split()[1] != "root" or int(line.split()[2], 8) & 0o133]
    assert loose == []


@pytest.mark.control("STK-SSH-021")
def test_nobody_gets_other_terms_than_everybody(sshd, for_users):
    """A Match block, of whatever file, would show up for the user or the address that it names."""
    differing = {
        f"{who}: {key}": (sshd.get(key), values)
        for who, settings in for_users.items()
        for key, values in settings.items()
        if sshd.get(key) != values
    }
    assert differing == {}
    assert one(sshd, "authenticationmethods") == "publickey"
    assert sshd.get("authorizedkeysfile") == [".ssh/authorized_keys"]
    assert sshd.get("authorizedkeyscommand") == ["none"]


@pytest.mark.control("STK-SSH-022")
def test_ssh_started_here_speaks_modern_algorithms_only(host):
    answer = host.run("ssh -G stockade.invalid")
    assert answer.rc == 0, answer.stderr
    found = dict(line.partition(" ")[::2] for line in answer.stdout.splitlines())
    assert set(found["ciphers"].split(",")) <= CIPHERS
    assert set(found["kexalgorithms"].split(",")) <= KEX
    assert [mac for mac in found["macs"].split(",") if "-etm@" not in mac] == []
    assert not set(found["hostkeyalgorithms"].split(",")) & WEAK_KEYS
    assert (found["forwardagent"], found["stricthostkeychecking"]) in (("no", "ask"), ("no", "true"))
