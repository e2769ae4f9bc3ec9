"""Accounts, passwords, sudo and what people meet at a login."""

from __future__ import annotations

import json
import re
from datetime import date
from types import SimpleNamespace

import pytest

MARK = "== "
# Everything in one trip: the name of each part, then the command that prints it.
PARTS = {
    "passwd": "getent passwd",
    "group": "getent group",
    "shadow": "cat /etc/shadow",
    "sudo": "cvtsudoers -f json /etc/sudoers",
    "sudo_text": "cat /etc/sudoers.d/50-stockade",
    "auth": "cat /etc/pam.d/common-auth",
    "account": "cat /etc/pam.d/common-account /etc/pam.d/sshd",
    "password": "cat /etc/pam.d/common-password",
    "pwquality": "cat /etc/security/pwquality.conf /etc/security/pwquality.conf.d/*.conf 2>/dev/null",
    "faillock": "cat /etc/security/faillock.conf",
    "login_defs": "cat /etc/login.defs",
    "useradd": "useradd -D",
    "umask": "runuser -l admin -c umask",
    "idle": "bash -lic 'readonly -p | grep -w TMOUT' 2>/dev/null </dev/null",
    "su": "runuser -u nobody -- su root -c true </dev/null 2>&1",
    "program": "setsid runuser -u nobody -- sudo -n true </dev/null 2>&1",
    "people": "cat /var/lib/stockade/people.json",
    "banners": "cat /etc/issue /etc/issue.net",
    "root_path": "bash -lc 'echo $PATH' </dev/null",
}


@pytest.fixture(scope="module")
def facts(host):
    """The parts above by name; a part that cannot be read is empty and fails the test that needs it."""
    script = "".join(f"echo '{MARK}{name}'; ({command}) 2>&1; echo\n" for name, command in PARTS.items())
    found: dict[str, list[str]] = {}
    for line in host.run(script).stdout.splitlines():
        if line.startswith(MARK):
            current = found.setdefault(line.removeprefix(MARK), [])
        elif line:
            current.append(line)
    return SimpleNamespace(**{name: found.get(name, []) for name in PARTS})


@pytest.fixture(scope="module")
def accounts(facts):
    """passwd(5) joined with shadow(5): name → account."""
    hashes = {row.split(":")[0]: row.split(":") for row in facts.shadow if ":" in row}
    found = {}
    for row in facts.passwd:
        name, _, uid, gid, _, home, shell = row.split(":")
        secret = hashes.get(name, [name] + [""] * 8)
        found[name] = SimpleNamespace(
            name=name,
            uid=int(uid),
            gid=int(gid),
            home=home,
            shell=shell,
            password=secret[1],
            minimum=secret[3],
            maximum=secret[4],
            inactive=secret[6],
            expires=secret[7],
        )
    assert "root" in found, "the accounts could not be read"
    return found


@pytest.fixture(scope="module")
def sudo(facts):
    """The sudo rules as sudo itself reads them."""
    text = "\n".join(facts.sudo)
    assert text.startswith("{"), f"sudo does not read its rules: {text[:200]}"
    return json.loads(text)


def opens(account):
    """Whether a password opens the account."""
    return account.password[:1] not in ("!", "*")


def people(accounts):
    """Accounts of people and automation."""
    return [a for a in accounts.values() if 1000 <= a.uid < 65534]


def stack(lines, kind):
    """The modules of a PAM stack in order: (control, module, arguments)."""
    rows = [re.split(r"\s+(?![^\[]*\])", line.strip()) for line in lines if line.strip().startswith(kind)]
    return [(row[1], row[2], row[3:]) for row in rows if row[0] == kind]


def keyed(lines, separator="="):
    """key → value of a configuration file; the last one counts, a bare key is its own value."""
    found = {}
    for line in lines:
        text = line.partition("#")[0].strip()
        if text:
            key, _, value = (
                text.partition(separator) if separator else (text.split()[0], "", " ".join(text.split()[1:]))
            )
            found[key.strip()] = value.strip()
    return found


def sudo_defaults(sudo):
    """Defaults that hold for everybody."""
    options = [o for entry in sudo.get("Defaults", []) if "Binding" not in entry for o in entry["Options"]]
    return {key: value for option in options for key, value in option.items()}


def passwordless(sudo):
    """Users, or %groups, that become root without a password."""
    found = set()
    for spec in sudo.get("User_Specs", []):
        for command in spec["Cmnd_Specs"]:
            if any(option.get("authenticate") is False for option in command.get("Options", [])):
                found |= {u.get("username") or f"%{u.get('usergroup')}" for u in spec["User_List"]}
    return found


@pytest.mark.control("STK-USR-001")
def test_only_root_has_the_number_0(accounts):
    assert [a.name for a in accounts.values() if a.uid == 0] == ["root"]
    assert accounts["root"].gid == 0


@pytest.mark.control("STK-USR-002")
def test_no_password_is_empty(accounts):
    assert [a.name for a in accounts.values() if a.password == ""] == []


@pytest.mark.control("STK-USR-003")
def test_names_and_numbers_are_unique(facts):
    for rows, what in ((facts.passwd, "user"), (facts.group, "group")):
        for column in (0, 2):
            values = [row.split(":")[column] for row in rows]
            assert values, f"no {what} could be read"
            assert sorted({v for v in values if values.count(v) > 1}) == [], what


@pytest.mark.control("STK-USR-004")
def test_roots_password_is_locked(accounts):
    assert not opens(accounts["root"])


@pytest.mark.control("STK-USR-005")
def test_service_accounts_cannot_log_in(accounts):
    closed = ("/usr/sbin/nologin", "/sbin/nologin", "/bin/false", "/usr/bin/false", "/bin/sync")
    services = [a for a in accounts.values() if 0 < a.uid < 1000 or a.uid == 65534]
    assert [a.name for a in services if a.shell not in closed] == []
    assert [a.name for a in services if opens(a)] == []


@pytest.mark.control("STK-USR-006")
def test_sudo_has_its_own_terminal_and_a_log(sudo):
    defaults = sudo_defaults(sudo)
    assert defaults.get("use_pty") is True
    assert defaults.get("logfile", "").startswith("/var/log/")


@pytest.mark.control("STK-USR-007")
def test_nobody_becomes_root_without_a_password_but_dated_entries(facts, sudo):
    entries = re.findall(
        r"^# (.*); owner (\S+); to be reviewed by (\S+)\n(\S+)", "\n".join(facts.sudo_text), re.M
    )
    assert passwordless(sudo) == {name for _, _, _, name in entries}, (
        "an entry without reason, owner and date"
    )
    assert [name for _, _, day, name in entries if date.fromisoformat(day) < date.today()] == []


@pytest.mark.control("STK-USR-008")
def test_sudo_asks_again_after_minutes(sudo):
    minutes = sudo_defaults(sudo).get("timestamp_timeout")
    assert minutes is not None
    assert 0 <= float(minutes) <= 15
    assert sudo_defaults(sudo).get("authenticate") is not False, "sudo asks nobody at all"


@pytest.mark.control("STK-USR-033")
def test_a_program_without_a_terminal_becomes_root_as_nobody(facts, sudo):
    """sudo's own answer to one; exceptions are accounts by name, never a group or everybody."""
    assert [line for line in facts.program if "must have a tty" in line], facts.program
    bound = [entry for entry in sudo["Defaults"] if {"requiretty": False} in entry["Options"]]
    assert [
        entry for entry in bound if not all("username" in who for who in entry.get("Binding", [{}]))
    ] == []


@pytest.mark.control("STK-USR-009")
def test_passwords_are_long_and_mixed(facts):
    rows = stack(facts.password, "password")
    assert rows, "no password stack"
    assert rows[0][:2] == ("requisite", "pam_pwquality.so"), (
        "something decides before the quality is looked at"
    )
    rules = keyed(facts.pwquality)
    assert int(rules.get("minlen", 0)) >= 14
    assert int(rules.get("minclass", 0)) == 4
    assert (rules.get("dictcheck"), rules.get("enforcing")) == ("1", "1")
    assert int(rules.get("difok", 0)) >= 2
    assert 1 <= int(rules.get("maxrepeat", 0)) <= 3
    assert 1 <= int(rules.get("maxsequence", 0)) <= 3
    assert "enforce_for_root" in rules


@pytest.mark.control("STK-USR-010")
def test_old_passwords_cannot_come_back(facts):
    history = [row for row in stack(facts.password, "password") if row[1] == "pam_pwhistory.so"]
    assert len(history) == 1
    control, _, arguments = history[0]
    assert control in ("required", "requisite")
    assert int(keyed(arguments)["remember"]) >= 24
    assert {"enforce_for_root", "use_authtok"} <= set(arguments)


@pytest.mark.control("STK-USR-011")
def test_wrong_passwords_lock_until_an_administrator_opens(facts):
    rows = stack(facts.auth, "auth")
    order = [
        (module, *(a for a in arguments if a in ("preauth", "authfail", "authsucc")))
        for _, module, arguments in rows
    ]
    assert ("pam_faillock.so", "preauth") in order
    unix = order.index(("pam_unix.so",))
    assert order.index(("pam_faillock.so", "preauth")) < unix < order.index(("pam_faillock.so", "authfail"))
    rules = keyed(facts.faillock)
    assert 1 <= int(rules.get("deny", 0)) <= 5
    assert rules.get("unlock_time") == "0", "the lock ends by itself"
    assert not rules.get("dir", "/run").startswith(("/run", "/var/run")), "a reboot would open the account"


@pytest.mark.control("STK-USR-012")
def test_a_lockout_closes_neither_keys_nor_root(facts):
    assert stack(facts.account, "account"), "no account stack"
    assert "pam_faillock.so" not in [module for _, module, _ in stack(facts.account, "account")]
    rules = keyed(facts.faillock)
    assert "deny" in rules, "there is no lockout to judge"
    assert not {"even_deny_root", "root_unlock_time", "admin_group"} & set(rules)


@pytest.mark.control("STK-USR-013")
def test_passwords_expire(facts, accounts):
    rules = keyed(facts.login_defs, separator="")
    assert 1 <= int(rules["PASS_MAX_DAYS"]) <= 90
    assert int(rules["PASS_MIN_DAYS"]) >= 1
    assert int(rules["PASS_WARN_AGE"]) >= 7
    aged = [a for a in people(accounts) if opens(a)]
    assert [a.name for a in aged if not a.maximum or not 1 <= int(a.maximum) <= 90] == []


@pytest.mark.control("STK-USR-014")
def test_accounts_close_after_their_password_expired(facts, accounts):
    assert 0 <= int(keyed(facts.useradd)["INACTIVE"]) <= 30
    aged = [a for a in people(accounts) if opens(a)]
    assert [a.name for a in aged if not a.inactive or int(a.inactive) > 30] == []


@pytest.mark.control("STK-USR-015")
def test_passwords_are_hashed_by_yescrypt(facts, accounts):
    assert keyed(facts.login_defs, separator="")["ENCRYPT_METHOD"] == "YESCRYPT"
    unix = [
        arguments for _, module, arguments in stack(facts.password, "password") if module == "pam_unix.so"
    ]
    assert len(unix) == 1
    assert "yescrypt" in unix[0]
    assert "use_authtok" in unix[0], "a password that the quality check never saw"
    # pam_unix does not read login.defs for it: without a word of its own a new password costs 5.
    assert int(keyed(unix[0]).get("rounds", 5)) >= 7, "a hash that is tried too fast"
    assert not [argument for argument in unix[0] if argument.startswith("remember")], "pwhistory remembers"
    for _, module, arguments in stack(facts.auth, "auth"):
        assert "nullok" not in arguments, module
    assert [a.name for a in accounts.values() if opens(a) and not a.password.startswith("$y$")] == []


@pytest.mark.control("STK-USR-016")
def test_new_files_are_closed_to_others(facts):
    assert facts.umask, "no login to look at"
    assert int(facts.umask[-1], 8) & 0o027 == 0o027, facts.umask


@pytest.mark.control("STK-USR-017")
def test_idle_shells_end(facts):
    found = re.search(r'TMOUT="?(\d+)', "\n".join(facts.idle))
    assert found, "an interactive login has no fixed TMOUT"
    assert 1 <= int(found[1]) <= 900


@pytest.mark.control("STK-USR-018")
def test_su_refuses_whoever_is_no_administrator(facts):
    """`Authentication failure` would mean that a password had been asked for."""
    assert "su: Permission denied" in facts.su


@pytest.mark.control("STK-USR-019")
def test_homes_are_closed_to_others(host, accounts):
    homes = [a for a in [accounts["root"], *people(accounts)] if a.home.startswith("/")]
    answer = host.run(f"stat -c '%n %U %a' {' '.join(a.home for a in homes)}")
    found = {row.split()[0]: row.split()[1:] for row in answer.stdout.splitlines()}
    assert set(found) == {a.home for a in homes}, answer.stderr
    assert {a.name: found[a.home] for a in homes if int(found[a.home][1], 8) & 0o027} == {}
    assert {a.name: found[a.home] for a in homes if found[a.home][0] != a.name} == {}


@pytest.mark.control("STK-USR-020")
def test_only_the_owner_writes_keys(host, accounts):
    owners = [accounts["root"], *people(accounts)]
    folders = " ".join(f"{a.home}/.ssh" for a in owners)
    found = host.run(f"find {folders} -printf '%p %u %m\\n' 2>/dev/null").stdout.splitlines()
    assert [row for row in found if row.split()[0].endswith("authorized_keys")], "nobody has a key"
    wrong = []
    for row in found:
        path, owner, mode = row.split()
        home = next(a for a in owners if path.startswith(f"{a.home}/.ssh"))
        if int(mode, 8) & 0o022 or owner not in (home.name, "root"):
            wrong.append(row)
    assert wrong == []


@pytest.mark.control("STK-USR-021")
def test_banners_tell_terms_and_nothing_else(facts):
    text = "\n".join(facts.banners).lower()
    assert "authorised" in text or "authorized" in text
    assert [word for word in ("debian", "ubuntu", "linux", "kernel", "\\") if word in text] == []


@pytest.mark.control("STK-USR-022")
def test_automation_has_nothing_that_expires(sudo, accounts):
    machines = [accounts[name] for name in passwordless(sudo) if name in accounts]
    assert machines, "no automation account"
    for account in machines:
        assert not opens(account), f"{account.name} has a password"
        assert account.maximum in ("", "-1"), f"{account.name} expires with a password it has not got"
        assert account.expires in ("", "-1"), account.name


@pytest.mark.control("STK-USR-023")
def test_every_account_is_on_the_list(facts, sudo, accounts):
    assert "\n".join(facts.people).startswith("["), "no list of people was ever applied"
    listed = set(json.loads("\n".join(facts.people)))
    strangers = {a.name for a in people(accounts) if a.expires != "1"} - listed - passwordless(sudo)
    assert strangers == set()


@pytest.mark.control("STK-USR-024")
def test_roots_search_path_is_roots(host, facts):
    folders = facts.root_path[-1].split(":") if facts.root_path else []
    assert folders
    assert [f for f in folders if not f.startswith("/")] == []
    rows = host.run(f"stat -L -c '%n %u %a' {' '.join(folders)}").stdout.splitlines()
    assert [row for row in rows if row.split()[1] != "0" or int(row.split()[2], 8) & 0o022] == []
    assert rows
