"""Audit and logging: what happened is on the node's disk, kept as declared, for administrators only."""

from __future__ import annotations

import re
import uuid

import pytest

HOSTS_AUDIT = (
    "not applicable: in a container the audit subsystem belongs to the host's kernel; the rules are staged "
    "for an image that boots its own"
)
LAST_WORD = "journalctl --unit systemd-journald --boot --grep 'System Journal' --lines 1 --output cat"
KEYS = {
    "time-change", "identity", "system-locale", "mac-policy", "logins", "session", "perm_mod", "access",
    "mounts", "delete", "scope", "sudo_log_file", "user_emulation", "modules", "privileged", "perm_chng",
    "usermod",
}  # fmt: skip
# As `logrotate --debug` says it: files, how often, how many are kept.
ROTATION = re.compile(
    r"(?m)^rotating pattern: ((?:/\S+\s+)+?)(?:after (\d+) days|(daily|weekly|monthly|yearly))"
    r"[^(\n]*\((\d+) rotations\)"  # Debian 13 says between them what becomes of empty files
)
TIMED_OUT, TIMED_OUT_AND_KILLED = 124, 137  # timeout(1)
PERIODS = {"daily": 1, "weekly": 7, "monthly": 30.44, "yearly": 365.25}
DAYS = {"d": 1, "day": 1, "days": 1, "week": 7, "weeks": 7, "month": 30.44, "year": 365.25}


@pytest.fixture(scope="module")
def journald(host):
    """journald's configuration as it reads it: all files in order, the last word counts."""
    lines = host.run("systemd-analyze cat-config systemd/journald.conf").stdout.splitlines()
    return dict(line.split("=", 1) for line in lines if re.match(r"[A-Z]\w*=", line))


@pytest.fixture(scope="module")
def audit_kernel(host):
    """`auditctl -s` as {name: value}; not applicable where the kernel is a host's."""
    if host.run("systemd-detect-virt --container --quiet").rc == 0:
        pytest.skip(HOSTS_AUDIT)
    return dict(line.split(" ", 1) for line in host.run("auditctl -s").stdout.splitlines() if " " in line)


@pytest.mark.control("STK-AUD-001")
def test_the_journal_is_on_disk(host, journald):
    """journald's own last word about the file it writes, whatever directories happen to exist."""
    said = host.run(LAST_WORD).stdout
    assert "/var/log/journal/" in said, said
    assert journald.get("Storage") == "persistent"


@pytest.mark.control("STK-AUD-002")
def test_the_journal_is_bounded(host, journald):
    """A flood of messages must not fill the disk: the bound that journald computed is the declared one."""
    declared = re.fullmatch(r"(\d+)M", journald.get("SystemMaxUse", ""))
    assert declared, "no bound is declared, so journald takes a part of the disk"
    said = host.run(LAST_WORD).stdout
    bound = re.search(r"max ([\d.]+)([MG])", said)
    assert bound, said
    computed = float(bound[1]) * {"M": 1, "G": 1024}[bound[2]]
    assert computed <= int(declared[1]) * 1.01
    assert computed >= 64, "it has to leave so much free that it keeps less than a day"


@pytest.mark.control("STK-AUD-003")
def test_the_journal_is_kept_for_the_declared_days(journald, region):
    kept = re.fullmatch(r"(\d+)\s*([a-z]+)", journald.get("MaxRetentionSec", ""))
    assert kept, "no retention is declared"
    assert int(kept[1]) * DAYS.get(kept[2], 0) >= region["retention"]["node_logs_days"]


@pytest.mark.control("STK-AUD-004")
def test_a_sudo_call_is_recorded_on_disk(host):
    """A real call with a mark of its own, from a terminal as sudo asks; looked for on disk, not in memory."""
    mark = f"stockade-verify-{uuid.uuid4()}"
    called = host.run(
        f"timeout --kill-after=5 60 script -qec 'sudo --non-interactive /usr/bin/test {mark}' /dev/null",
        seconds=90,
    )
    # sudo waits while nobody takes what it logs, e.g. while journald waits for a busy disk. What counts here
    # is the record, made before the command is run; whether the terminal's session ends is no matter.
    assert called.rc in (0, TIMED_OUT, TIMED_OUT_AND_KILLED), called.stdout
    found = host.run(
        "journalctl --sync; journalctl --directory /var/log/journal --identifier sudo --since=-5min -o cat"
    )
    lines = [line for line in found.stdout.splitlines() if mark in line]
    assert lines, f"no record of {mark} under /var/log/journal"
    assert re.search(r"USER=root\s*;\s*COMMAND=/usr/bin/test", lines[0]), lines[0]


@pytest.mark.control("STK-AUD-005")
def test_a_login_is_recorded_on_disk(host):
    """The connection of this very check was accepted by sshd: the record of it is there, with the address."""
    found = host.run(
        "journalctl --directory /var/log/journal --identifier sshd --identifier sshd-session"
        " --grep '^Accepted' --lines 1 --output cat"
    )
    assert re.search(r"Accepted publickey for \S+ from \S+", found.stdout), found.stdout + found.stderr


@pytest.mark.control("STK-AUD-006")
def test_only_administrators_read_the_journal(host):
    found = host.run(
        "find /var/log/journal -perm /o+rwx -type f -printf '%p %m\\n'; stat -c %U:%G /var/log/journal"
    )
    assert found.stdout.split("\n")[:-1] == ["root:systemd-journal"], found.stderr


@pytest.mark.control("STK-AUD-007")
def test_the_audit_daemon_records(host, audit_kernel):
    assert audit_kernel.get("pid", "0") != "0", "no audit daemon is registered with the kernel"
    assert audit_kernel.get("enabled") in ("1", "2")
    assert host.service("auditd").is_enabled


@pytest.mark.control("STK-AUD-008")
def test_the_kernel_holds_the_audit_rules(host, audit_kernel):
    """The rules that the kernel applies, not the files they came from."""
    assert audit_kernel
    loaded = set(re.findall(r"(?:-k |key=)(\S+)", host.check_output("auditctl -l")))
    assert KEYS - loaded == set()


@pytest.mark.control("STK-AUD-009")
def test_the_audit_rules_are_locked_until_the_next_boot(audit_kernel):
    assert audit_kernel.get("enabled") == "2"


@pytest.mark.control("STK-AUD-010")
def test_a_full_disk_of_audit_records_raises_an_error(host, audit_kernel):
    """auditd must not overwrite or drop records in silence."""
    assert audit_kernel
    text = host.file("/etc/audit/auditd.conf").content_string
    values = {
        k.strip(): v.strip().upper() for k, _, v in (line.partition("=") for line in text.splitlines()) if v
    }
    names = ("space_left_action", "admin_space_left_action", "disk_full_action", "disk_error_action")
    actions = {name: values.get(name, "IGNORE") for name in names}
    assert {key for key, action in actions.items() if action in ("IGNORE", "ROTATE")} == set()
    assert values.get("max_log_file_action") == "KEEP_LOGS", "a full file is overwritten"
    assert int(values["max_log_file"]) >= 8
    script = re.match(r"EXEC (\S+)", values["space_left_action"])
    assert script, "nobody is told when the disk fills up"


@pytest.mark.control("STK-AUD-011")
def test_the_audit_rules_on_disk_are_whole_and_end_with_the_lock(host):
    """Judged as the node will load them at its next boot, so also where the kernel is a host's."""
    assert "No change" in host.run("augenrules --check").stdout, (
        "the rules were not joined since they changed"
    )
    text = host.file("/etc/audit/audit.rules").content_string
    rules = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert rules[-1:] == ["-e 2"]
    assert sum(line.startswith("-e") for line in rules) == 1
    assert KEYS - set(re.findall(r"(?:-k |key=)(\S+)", text)) == set()
    privileged = host.check_output('find / -xdev -type f -perm /6000 -not -path "/var/lib/*"').split()
    assert [program for program in privileged if f"-F path={program} -F perm=x" not in text] == []


@pytest.mark.control("STK-AUD-012")
def test_audit_records_configuration_and_tools_are_roots(host):
    tools = "/sbin/auditctl /sbin/aureport /sbin/ausearch /sbin/auditd /sbin/augenrules"
    assert host.run(f"ls {tools}").rc == 0, "the audit tools are not installed"
    if host.run("ls /sbin/autrace").rc == 0:  # Debian 13 no longer has it
        tools += " /sbin/autrace"
    found = host.run(
        "stat -c '%a %U %G %n' /var/log/audit /etc/audit /etc/audit/rules.d;"
        " find /var/log/audit /etc/audit -type f -printf '%m %u %g %p\\n';"
        f" stat -L -c '%a %U %G %n' {tools}"
    )
    wrong = []
    for line in found.stdout.splitlines():
        mode, owner, group, path = line.split(" ", 3)
        allowed = 0o755 if path.startswith("/sbin/") else 0o750
        groups = ("root", "adm") if path.startswith("/var/log/audit") else ("root",)
        if owner != "root" or group not in groups or int(mode, 8) & ~allowed:
            wrong.append(line)
    assert found.rc == 0, found.stderr
    assert wrong == []


@pytest.mark.control("STK-AUD-013")
def test_log_files_are_for_administrators_only(host):
    """Debian's records of logins are open to their group, utmp; the journal has its own control.

    In a directory of root's alone nobody else reaches a file, whatever its own rights (PAM's failures).
    """
    shown = host.check_output(
        "find /var/log -xdev -type d -user root -perm 0700 -prune -o"
        " -type f -not -path '/var/log/journal/*' -perm /0137 -printf '%m %g %p\\n'"
    )
    logins = ("/var/log/wtmp", "/var/log/btmp", "/var/log/lastlog")
    wrong = []
    for line in shown.splitlines():
        mode, group, path = line.split(" ", 2)
        if not (path.startswith(logins) and group == "utmp" and int(mode, 8) & ~0o664 == 0):
            wrong.append(line)
    assert wrong == []


@pytest.mark.control("STK-AUD-014")
def test_the_journal_is_forwarded_over_tls(host, region):
    """What the collector confirmed last is young: what was said an hour ago has left the node."""
    collector = region["services"].get("log_collector")
    if collector is None:
        pytest.skip("not applicable: the region declares no collector of logs")
    text = host.run("systemd-analyze cat-config systemd/journal-upload.conf").stdout
    values = dict(line.split("=", 1) for line in text.splitlines() if re.match(r"[A-Z]\w*=", line))
    assert values.get("URL") == f"https://{collector['address']}:{collector['port']}"
    assert values.get("TrustedCertificateFile", "/dev/null") not in ("", "-", "all", "/dev/null")
    assert values.get("ServerKeyFile")
    shown = host.check_output(
        "systemctl is-active systemd-journal-upload; systemctl is-enabled systemd-journal-upload"
    )
    assert shown.split() == ["active", "enabled"]
    young = host.run("find /var/lib/systemd/journal-upload/state -mmin -60")
    assert young.stdout.strip(), "the collector has confirmed nothing for an hour"


@pytest.mark.control("STK-AUD-015")
def test_no_node_receives_the_journals_of_others(host):
    units = "systemd-journal-remote.socket systemd-journal-remote.service"
    shown = host.check_output(f"systemctl show {units} -p LoadState -p ActiveState")
    assert sorted(set(shown.split())) == ["ActiveState=inactive", "LoadState=masked"]
    assert "systemd-journal-remote" not in host.check_output("ps -eo args")


@pytest.mark.control("STK-AUD-017")
def test_log_files_are_rotated_and_kept_for_the_declared_days(host, region):
    """As logrotate itself reads all its files; --debug changes none."""
    said = host.run("logrotate --debug /etc/logrotate.conf 2>&1").stdout
    kept = {
        file: int(number) * (int(days or 0) or PERIODS[every])
        for files, days, every, number in ROTATION.findall(said)
        for file in files.split()
    }
    assert "/var/log/sudo.log" in kept, f"the record of who became root grows for ever: {sorted(kept)}"
    assert {files for files, days in kept.items() if days < region["retention"]["node_logs_days"]} == set()
    assert host.run("systemctl is-active logrotate.timer").stdout.strip() == "active"


@pytest.mark.control("STK-AUD-018")
def test_a_node_that_can_record_no_more_stops(host):
    """Judged as auditd will read it at its next start, so also where the kernel is a host's."""
    lines = host.file("/etc/audit/auditd.conf").content_string.splitlines()
    values = {key.strip(): value.strip().lower() for key, _, value in (line.partition("=") for line in lines)}
    assert values.get("disk_full_action") in ("halt", "single")
    assert values.get("admin_space_left_action") in ("halt", "single")
    assert values.get("disk_error_action") in ("syslog", "halt", "single")
    assert values.get("space_left_action", "").split(" ")[0] in ("exec", "email", "halt", "single")


@pytest.mark.control("STK-AUD-016")
def test_journald_is_the_one_logging_system(host, journald):
    states = host.run("systemctl is-active systemd-journald rsyslog syslog-ng").stdout.split()
    assert states == ["active", "inactive", "inactive"]
    wanted = {"ForwardToSyslog": "no", "Compress": "yes"}
    assert {key: journald.get(key) for key in wanted} == wanted
