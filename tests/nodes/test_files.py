"""Files: who may read the accounts, what runs with somebody else's rights, what everybody may change."""

from __future__ import annotations

import pytest

# Programs that Debian ships with setuid or setgid and that a node needs that way.
PRIVILEGED = {
    "/usr/bin/passwd", "/usr/bin/su", "/usr/bin/sudo", "/usr/bin/chage", "/usr/bin/expiry",
    "/usr/bin/crontab", "/usr/bin/ssh-agent", "/usr/bin/at", "/usr/bin/dotlockfile",
    "/usr/bin/write.ul", "/usr/bin/wall",
    "/usr/lib/dbus-1.0/dbus-daemon-launch-helper", "/usr/lib/polkit-1/polkit-agent-helper-1",
    "/usr/bin/pkexec",     "/usr/sbin/unix_chkpwd", "/usr/bin/fusermount3",
}  # fmt: skip
LOCAL = "ext2,ext3,ext4,xfs,btrfs,overlay,f2fs"
# One pass over the local filesystems; what the host binds into a container is not the node's.
SCAN = (
    f"findmnt --noheadings --raw --output TARGET --types {LOCAL} | grep -v -e ^/run/host | sort -u"
    " | xargs -r -d '\\n' sh -c 'find \"$@\" -xdev \\( -perm /6000 -o -perm -0002 -o -nouser -o -nogroup \\)"
    ' -printf "%y %m %u %g %p\\n"\' find'
)


@pytest.fixture(scope="module")
def scan(host):
    """Every file with special rights, one row each: type, mode, user, group, path."""
    answer = host.run(SCAN)
    assert answer.rc == 0, answer.stderr
    return [tuple(line.split(" ", 4)) for line in answer.stdout.splitlines()]


@pytest.fixture(scope="module")
def rights(host):
    """{path: (mode, user, group)} of the files below, in one look-up."""
    paths = (
        "/etc/passwd* /etc/group* /etc/shadow* /etc/gshadow* /etc/ssh/ssh_host_*_key /etc/ssh/sshd_config "
        "/etc/ssh/sshd_config.d/* /etc/crontab /etc/cron.* /etc/security/opasswd "
        "/etc/sudoers /etc/sudoers.d/* /root /etc/stockade/* /usr/local/sbin/* /etc/apt/apt.conf.d/*"
    )
    lines = host.run(f"stat --dereference --format '%a %U %G %n' {paths} 2>/dev/null").stdout.splitlines()
    rows = (line.split(" ", 3) for line in lines)
    return {path: (int(mode, 8), user, group) for mode, user, group, path in rows}


def looser(rights, path, mode, group="root"):
    """What is wrong with the rights of a path, empty if nothing is."""
    now, user, owning = rights[path]
    if now & ~mode or user != "root" or owning not in ("root", group):
        return f"{path}: {now:o} {user}:{owning}, at most {mode:o} root:{group}"
    return ""


def dynamic(user, path):
    """systemd gives a DynamicUser service a number of 61184-65519 while it runs and keeps its state below
    directories that only root enters (systemd.exec(5)); it is chowned when the number changes."""
    private = path.startswith(("/var/lib/private/", "/var/cache/private/", "/var/log/private/"))
    return private and user.isdigit() and 61184 <= int(user) <= 65519


@pytest.mark.control("STK-FIL-001")
def test_accounts_are_changed_by_root_only(rights):
    files = [p for p in ("/etc/passwd", "/etc/group", "/etc/passwd-", "/etc/group-") if p in rights]
    assert len(files) >= 2
    assert [w for w in (looser(rights, p, 0o644) for p in files) if w] == []


@pytest.mark.control("STK-FIL-002")
def test_password_hashes_are_read_by_root_and_shadow_only(rights):
    files = [p for p in ("/etc/shadow", "/etc/gshadow", "/etc/shadow-", "/etc/gshadow-") if p in rights]
    assert len(files) >= 2
    assert [w for w in (looser(rights, p, 0o640, "shadow") for p in files) if w] == []


@pytest.mark.control("STK-FIL-003")
def test_host_keys_are_read_by_root_only(rights):
    keys = [path for path in rights if path.startswith("/etc/ssh/ssh_host_")]
    assert keys, "the node has no host key"
    assert [w for w in (looser(rights, key, 0o600) for key in keys) if w] == []


@pytest.mark.control("STK-FIL-004")
def test_scheduled_jobs_are_seen_and_changed_by_root_only(rights):
    jobs = [p for p in rights if p.startswith("/etc/cron.") and not p.endswith((".allow", ".deny"))]
    assert jobs
    assert [w for w in (looser(rights, path, 0o700) for path in jobs) if w] == []
    assert "/etc/crontab" not in rights or looser(rights, "/etc/crontab", 0o600) == ""


@pytest.mark.control("STK-FIL-005")
def test_sudo_rules_are_changed_by_root_only(rights):
    rules = [p for p in rights if p.startswith("/etc/sudoers") and p not in ("/etc/sudoers.d",)]
    assert rules
    assert [w for w in (looser(rights, path, 0o440) for path in rules if path != "/etc/sudoers.d") if w] == []


@pytest.mark.control("STK-FIL-006")
def test_everybody_can_change_no_file(scan):
    assert [path for kind, mode, _, _, path in scan if kind in "fbc" and int(mode, 8) & 0o002] == []


@pytest.mark.control("STK-FIL-007")
def test_directories_that_everybody_can_change_are_sticky(scan):
    open_ = [(path, int(mode, 8)) for kind, mode, _, _, path in scan if kind == "d" and int(mode, 8) & 0o002]
    assert ("/var/tmp", 0o1777) in open_, "the scan has not seen /var/tmp: it has seen nothing"
    assert [path for path, mode in open_ if not mode & 0o1000] == []


@pytest.mark.control("STK-FIL-008")
def test_every_file_has_an_owner_and_a_group(host, scan):
    known = {
        kind: {line.split(":")[0] for line in host.check_output(f"getent {kind}").splitlines()}
        for kind in ("passwd", "group")
    }
    orphans = [
        path
        for _, _, user, group, path in scan
        if (user not in known["passwd"] or group not in known["group"]) and not dynamic(user, path)
    ]
    assert orphans == []


@pytest.mark.control("STK-FIL-009")
def test_only_known_programs_run_with_other_rights(scan):
    special = {path for kind, mode, _, _, path in scan if kind == "f" and int(mode, 8) & 0o6000}
    assert "/usr/bin/sudo" in special, "the scan has not seen sudo: it has seen nothing"
    assert special - PRIVILEGED == set()


@pytest.mark.control("STK-FIL-010")
def test_programs_with_other_rights_come_from_a_package(host, scan):
    """An unpackaged one is a back door; dpkg knows each path and, after a change of it, another checksum."""
    special = [path for kind, mode, _, _, path in scan if kind == "f" and int(mode, 8) & 0o4000]
    assert special
    # usrmerge: dpkg may know a file by its path before the merge.
    unknown = host.run(
        "for p in " + " ".join(special) + '; do dpkg-query --search "$p" >/dev/null 2>&1 ||'
        ' dpkg-query --search "${p#/usr}" >/dev/null 2>&1 || echo "$p"; done'
    )
    assert unknown.stdout.split() == []


@pytest.mark.control("STK-FIL-011")
def test_root_has_its_home_to_itself(rights):
    assert looser(rights, "/root", 0o700) == ""


@pytest.mark.control("STK-FIL-012")
def test_what_hardens_the_node_is_changed_by_root_only(rights):
    ours = [
        p
        for p in rights
        if p.startswith(("/etc/stockade/", "/usr/local/sbin/stockade", "/etc/apt/apt.conf.d/"))
    ]
    assert "/usr/local/sbin/stockade-patching" in ours
    assert [w for w in (looser(rights, path, 0o755) for path in ours) if w] == []


@pytest.mark.control("STK-FIL-013")
def test_old_password_hashes_are_read_by_root_only(rights):
    """pam_pwhistory keeps hashes of former passwords there."""
    assert "/etc/security/opasswd" in rights
    assert looser(rights, "/etc/security/opasswd", 0o600) == ""


@pytest.mark.control("STK-FIL-014")
def test_what_everybody_is_shown_at_a_login_is_changed_by_root_only(host):
    paths = "/etc/motd /etc/issue /etc/issue.net /etc/shells"
    rows = [line.split() for line in host.run(f"stat -L -c '%n %U %G %a' {paths}").stdout.splitlines()]
    assert len(rows) == 4, rows
    assert [row for row in rows if row[1:3] != ["root", "root"] or int(row[3], 8) & ~0o644] == []
