"""Who administers a node, and what is left of it: keys, records of sudo, groups, what shells read."""

from __future__ import annotations

import re
from datetime import date

import pytest

# The processes above this one up to the login's: sshd tells them which key it took (ExposeAuthInfo).
OWN_KEY = r"""
p=$$; while [ "$p" -gt 1 ]; do
  f=$(tr '\0' '\n' < /proc/$p/environ 2>/dev/null | sed -n 's/^SSH_USER_AUTH=//p' | head -1)
  [ -n "$f" ] && { sed -n 's/^publickey //p' "$f"; exit 0; }
  p=$(awk '/^PPid:/ {print $2}' /proc/$p/status)
done
"""
SUDO = "cvtsudoers --output-format sudoers /etc/sudoers"


def key_of(line):
    """Type and blob of a public key line."""
    return tuple(line.split()[:2])


@pytest.fixture(scope="module")
def rules(host):
    """Sudo's own reading of its rules, a line each."""
    answer = host.run(SUDO)
    assert answer.rc == 0, answer.stderr
    return answer.stdout.replace("\\\n", " ").splitlines()


@pytest.fixture(scope="module")
def rows(host):
    """{passwd, group, shadow: rows}, in one look-up."""
    kinds = ("passwd", "group", "shadow")
    said = host.run('for f in passwd group shadow; do echo "== $f"; cat /etc/$f; done').stdout
    found = {kind: part.split("\n") for kind, part in re.findall(r"== (\w+)\n((?:(?!== ).*\n?)*)", said)}
    assert set(found) == set(kinds)
    return {kind: [row.split(":") for row in lines if ":" in row] for kind, lines in found.items()}


@pytest.mark.control("STK-USR-025")
def test_the_images_login_is_opened_by_the_listed_keys_only(host, region):
    """Beside the stack file's keys only the one that this very login came in with: the controller's own."""
    home = host.check_output("getent passwd admin").split(":")[5]
    lines = host.run(f"cat {home}/.ssh/authorized_keys {home}/.ssh/authorized_keys2 2>/dev/null").stdout
    keys = {key_of(line) for line in lines.splitlines() if line.strip() and not line.startswith("#")}
    stated = {key_of(one["key"]) for one in region["administrators"].values()}
    own = {key_of(line) for line in host.run(OWN_KEY).stdout.splitlines()}
    assert stated - keys == set(), "a stated key does not open the node"
    assert [kind for kind, blob in keys - stated - own] == [], f"{len(keys - stated - own)} keys of nobody"


@pytest.mark.control("STK-USR-026")
def test_sudo_sessions_are_recorded_within_bounds(host, rules):
    ours = [line for line in rules if line.startswith("Defaults:%stockade-admin")]
    recorded = {word for line in ours for word in re.findall(r"\blog_(?:in|out)put\b", line)}
    assert recorded == {"log_input", "log_output"}
    general = " ".join(line for line in rules if line.startswith("Defaults") and line not in ours)
    assert "!log_passwords" in general, "passwords would be recorded"
    assert "ignore_iolog_errors" in general, "a full disk would keep everybody from becoming root"
    kept = re.search(r"maxseq=\D?(\d+)", general)
    assert kept, "no bound on the number of sessions"
    assert 1 <= int(kept[1]) <= 10_000
    assert host.run("systemctl is-active stockade-sudo-records.timer").stdout.strip() == "active"
    command = host.run("systemctl show --value --property=ExecStart stockade-sudo-records.service").stdout
    bounds = re.search(r"/var/log/sudo-io (\d+) (\d+) ", command)
    assert bounds, command
    assert int(bounds[1]) <= 1024
    assert int(bounds[2]) >= 180, "CERT-In asks for 180 days of logs"


@pytest.mark.control("STK-USR-027")
def test_groups_are_sound(rows):
    groups = {row[0]: row for row in rows["group"]}
    numbers = {row[2] for row in rows["group"]}
    assert [row[0] for row in rows["passwd"] if row[3] not in numbers] == [], (
        "accounts of a group that is not there"
    )
    assert [row[0] for row in rows["group"] if row[2] == "0"] == ["root"]
    assert [row[0] for row in rows["passwd"] if row[3] == "0"] == ["root"]
    assert groups["shadow"][3] == "", "a member reads the password hashes"
    assert [row[0] for row in rows["passwd"] if row[3] == groups["shadow"][2]] == []


@pytest.mark.control("STK-USR-028")
def test_passwords_lie_in_shadow_and_were_changed_in_the_past(rows):
    assert [row[0] for row in rows["passwd"] if row[1] != "x"] == []
    today = (date.today() - date(1970, 1, 1)).days
    ahead = [row[0] for row in rows["shadow"] if row[2].isdigit() and int(row[2]) > today + 1]
    assert ahead == [], "such a password never gets old"
    assert len(rows["shadow"]) >= len(rows["passwd"])


@pytest.mark.control("STK-USR-029")
def test_what_root_makes_is_closed_to_others(host):
    """As root's own login shell has it, after everything that it reads."""
    answer = host.run("bash -lc umask </dev/null; bash -ic umask </dev/null 2>/dev/null").stdout.split()
    assert answer
    assert [mask for mask in answer if int(mask, 8) & 0o027 != 0o027] == []
    assert (
        host.run("grep -hE '^[[:space:]]*umask' /root/.bashrc /root/.bash_profile /root/.profile").stdout
        == ""
    )


@pytest.mark.control("STK-USR-030")
def test_nologin_is_no_shell_to_choose(host):
    shells = host.file("/etc/shells").content_string.split("\n")
    assert "/bin/bash" in shells
    assert [shell for shell in shells if "nologin" in shell] == []
    loose = host.run("stat -c '%U %a' /etc/shells").stdout.split()
    assert loose[0] == "root"
    assert int(loose[1], 8) & 0o022 == 0


@pytest.mark.control("STK-USR-031")
def test_what_a_shell_reads_is_written_by_its_owner_only(host, rows):
    people = [row for row in rows["passwd"] if row[2] == "0" or 1000 <= int(row[2]) < 65534]
    homes = {row[5]: row[0] for row in people}
    said = host.run(
        f"find {' '.join(homes)} -maxdepth 1 -name '.*' -type f -printf '%h %f %u %m\\n' 2>/dev/null"
    ).stdout.splitlines()
    found = [line.split(" ") for line in said]
    assert [name for _, name, _, _ in found if name in (".rhosts", ".shosts", ".forward")] == []
    wrong = []
    for home, name, owner, mode in found:
        closed = 0o177 if name in (".netrc", ".bash_history") else 0o137
        if int(mode, 8) & closed or owner not in (homes[home], "root"):
            wrong.append(f"{home}/{name} {owner} {mode}")
    assert wrong == []
    assert found, "no shell has anything to read: nothing was looked at"


@pytest.mark.control("STK-USR-032")
def test_no_program_writes_the_message_of_the_day(host):
    """Debian's pam_motd runs what lies there as root at each login, and shows the kernel's version."""
    assert host.run("run-parts --test /etc/update-motd.d").stdout.split() == []
    shown = host.run("cat /etc/motd /run/motd.dynamic 2>/dev/null").stdout.lower()
    assert [word for word in ("debian", "ubuntu", "linux", "kernel") if word in shown] == []
