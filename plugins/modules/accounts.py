"""Ansible module: the people and machines that may have an account, in one trip."""

from __future__ import annotations

DOCUMENTATION = """
module: accounts
short_description: Brings accounts, groups and keys to the list, and closes what the list no longer names
description:
  - People are exactly the list. Somebody who was on it and is not any more is locked, expired, loses keys and
    groups; files stay for evidence.
  - Automation accounts belong to the image; they are only let in (group) and freed from password ageing,
    which would lock out a login that has no password to change.
  - Root's password is locked, an empty password is locked, homes are closed to others, service accounts lose
    their shells and passwords.
  - Keys are exactly the list's, also those of the image's account; without any listed they stay as they are.
options:
  login: {type: str, required: true, description: The account of this very connection; it is never closed.}
  login_group: {type: str, required: true, description: Group that sshd lets in.}
  admin_group: {type: str, required: true, description: Group that may become root.}
  people: {type: list, elements: dict, default: [], description: See the role users.}
  image_account: {type: str, default: admin, description: The account that I(keys) open.}
  keys: {type: list, elements: str, default: [], description: Keys of the image's account; exactly these.}
  automation: {type: list, elements: str, default: [], description: Names of automation accounts.}
  shells_allowed: {type: list, elements: str, default: [], description: Service accounts that keep a shell.}
  ageing: {type: dict, required: true, description: Days for passwords - max min warn inactive.}
author: [Stockade]
"""

import grp
import json
import os
import pwd
import stat
from datetime import date

from ansible.module_utils import stockade_files as node
from ansible.module_utils.basic import AnsibleModule

PEOPLE_FILE = "/var/lib/stockade/people.json"
NOLOGIN = "/usr/sbin/nologin"
SHELLS = ("/bin/sh", "/bin/bash", "/bin/dash", "/usr/bin/sh", "/usr/bin/bash", "/usr/bin/dash")
FIRST_PERSON, NOBODY = 1000, 65534  # Debian: login.defs UID_MIN, and the account that is nobody
PRIVATE_FILES = (".bash_history", ".netrc")  # CIS Debian Linux 12 1.1, 7.2.10
NEVER = ""  # an empty field of shadow(5): no limit


def shadow(path="/etc/shadow"):
    """{name: [password, last change, min, max, warn, inactive, expires]}, fields as in shadow(5)."""
    with open(path, encoding="utf-8") as file:
        rows = [line.rstrip("\n").split(":") for line in file if ":" in line]
    return {row[0]: row[1:8] for row in rows}


def days(text):
    """An ISO date as days since 1970, as shadow(5) counts; empty stays empty."""
    return str((date.fromisoformat(text) - date(1970, 1, 1)).days) if text else NEVER


def has_password(field):
    """Whether a password could open the account: neither locked nor starred nor empty."""
    return bool(field) and field[0] not in "!*"


def ageing_wanted(field, ageing):
    """(min, max, warn, inactive) of an account: the policy with a password, no limits without one."""
    if not has_password(field):
        return (NEVER, NEVER, NEVER, NEVER)
    return tuple(str(ageing[k]) for k in ("min_days", "max_days", "warn_days", "inactive_days"))


class Accounts:
    """Compares and, outside of check mode, changes; `done` says what, a line each."""

    def __init__(self, module):
        self.module = module
        self.wanted = module.params
        self.done = []

    def step(self, what, *command):
        """Say what is to be done, and do it."""
        self.done.append(what)
        if self.module.check_mode:
            return
        code, said = node.run(list(command))
        if code != 0:
            self.module.fail_json(msg=f"{what}: `{command[0]}` says ({code}): {said}", done=self.done)

    def groups(self):
        """The groups that sshd and sudo ask for."""
        names = {self.wanted["login_group"], self.wanted["admin_group"]}
        names |= {g for person in self.wanted["people"] for g in person.get("groups") or []}
        for name in sorted(names - {g.gr_name for g in grp.getgrall()}):
            self.step(f"group {name} is made", "groupadd", "--system", name)

    def member_of(self, name):
        """Supplementary groups of an account."""
        return {g.gr_name for g in grp.getgrall() if name in g.gr_mem}

    def automation(self):
        """Automation accounts are let in; they have to exist already."""
        for name in self.wanted["automation"]:
            if name not in self.known:
                self.module.fail_json(
                    msg=f"users_automation names {name}, which this node has not got; "
                    "automation accounts come with the image; correct the list"
                )
            if self.wanted["login_group"] not in self.member_of(name):
                self.step(f"{name} may log in", "usermod", "-a", "-G", self.wanted["login_group"], name)
        if self.wanted["keys"]:
            self.keys(self.wanted["image_account"], self.wanted["keys"])

    def people(self):
        """Everybody on the list, exactly as listed."""
        for person in self.wanted["people"]:
            name = person["name"]
            groups = {self.wanted["login_group"], *(person.get("groups") or [])}
            if person.get("admin"):
                groups.add(self.wanted["admin_group"])
            if name not in self.known:
                self.step(
                    f"account {name} is made",
                    *("useradd", "-m", "-s", "/bin/bash", "-c", person.get("full_name") or name),
                    *("-G", ",".join(sorted(groups)), name),
                )
            elif pwd.getpwnam(name).pw_shell == NOLOGIN:
                self.step(f"{name} is opened again", "usermod", "-s", "/bin/bash", name)
            if name in self.known and self.member_of(name) != groups:
                self.step(f"{name} is in {sorted(groups)}", "usermod", "-G", ",".join(sorted(groups)), name)
            expires = days(person.get("expires") or "")
            if self.shadow().get(name, [""] * 7)[6] != expires:
                self.step(
                    f"{name} expires {person.get('expires')}",
                    "usermod",
                    "-e",
                    person.get("expires") or "",
                    name,
                )
            self.keys(name, person.get("keys") or [])

    def connection_stays(self):
        """The account of this very connection is on the list as somebody who may come again."""
        for person in self.wanted["people"]:
            if person["name"] != self.wanted["login"]:
                continue
            expires = str(person.get("expires") or "")
            if expires and date.fromisoformat(expires) <= date.today():
                self.refuse(f"{person['name']} expires on {expires}", "give it a later day")
            if not person.get("keys"):
                self.refuse(f"{person['name']} has no key", "name the key that it logs in with")

    def refuse(self, what, fix):
        """End before anything is done: the last login would be gone."""
        self.module.fail_json(
            msg=f"users_people: {what}; it is the account of this very connection, and closing it would lock "
            f"you out; {fix}, or connect as somebody else first"
        )

    def keys(self, name, keys):
        """The account's keys are exactly the list's."""
        text = "".join(f"{key.strip()}\n" for key in dict.fromkeys(keys)).encode()
        try:
            account = pwd.getpwnam(name)
        except KeyError:  # check mode: not made yet
            return
        folder = os.path.join(account.pw_dir, ".ssh")
        path = os.path.join(folder, "authorized_keys")
        if os.path.islink(folder) or os.path.islink(path):
            self.module.fail_json(
                msg=f"{path} is a link; keys of {name} would land elsewhere; remove the link"
            )
        if os.path.isfile(path):
            have = os.stat(path)
            with open(path, "rb") as file:
                if (
                    file.read() == text
                    and stat.S_IMODE(have.st_mode) == 0o600
                    and have.st_uid == account.pw_uid
                ):
                    return
        elif not text:
            return
        self.done.append(f"keys of {name} are set ({len(keys)})")
        if self.module.check_mode:
            return
        os.makedirs(folder, mode=0o700, exist_ok=True)
        os.chown(folder, account.pw_uid, account.pw_gid)
        node.put_file(path, text, 0o600, account.pw_uid, account.pw_gid)

    def leavers(self):
        """Whoever was on the list and is not any more is closed; files stay."""
        names = [person["name"] for person in self.wanted["people"]]
        before = []
        if os.path.exists(PEOPLE_FILE):
            with open(PEOPLE_FILE, encoding="utf-8") as file:
                before = json.load(file)
        # An automation account that the list of people once named belongs to the image still.
        for name in sorted(set(before) - set(names) - set(self.wanted["automation"])):
            if name == self.wanted["login"]:
                self.module.fail_json(
                    msg=f"users_people no longer names {name}, the account of this very connection; "
                    "closing it would lock you out; connect as somebody else first"
                )
            fields = self.shadow().get(name)
            if fields and (fields[6] != "1" or self.member_of(name)):
                self.step(
                    f"{name} is closed", "usermod", "-L", "-e", "1970-01-02", "-G", "", "-s", NOLOGIN, name
                )
                self.keys(name, [])
        # Leavers stay on record: an account that is opened again behind our back is closed again.
        record = sorted({*before, *names})
        if (record != before or not os.path.exists(PEOPLE_FILE)) and not self.module.check_mode:
            os.makedirs(os.path.dirname(PEOPLE_FILE), mode=0o700, exist_ok=True)
            node.write_durably(PEOPLE_FILE, json.dumps(record).encode())

    def shadow(self):
        """Today's shadow file; empty when accounts were not made yet (check mode)."""
        return shadow()

    def passwords(self):
        """Root's password is locked, nobody's is empty, and only accounts with a password age."""
        for name, fields in self.shadow().items():
            empty = fields[0] == ""
            if empty or (name == "root" and has_password(fields[0])):
                self.step(
                    f"password of {name} is locked",
                    "usermod",
                    "-L" if not empty else "-p",
                    *(["!"] * empty),
                    name,
                )
            ours = name == "root" or name in self.named or name in self.wanted["automation"]
            if not ours:
                continue
            low, high, warn, inactive = wanted = ageing_wanted(
                fields[0] if not empty else "!", self.wanted["ageing"]
            )
            if name == "root" and not has_password(fields[0]):
                continue
            if (fields[2], fields[3], fields[4], fields[5]) != wanted:
                self.step(
                    f"password ageing of {name} is {high or 'off'}",
                    *(
                        "chage",
                        "-m",
                        low or "-1",
                        "-M",
                        high or "-1",
                        "-W",
                        warn or "-1",
                        "-I",
                        inactive or "-1",
                    ),
                    name,
                )

    def homes_and_shells(self):
        """Homes are closed to others; service accounts cannot log in."""
        for entry in pwd.getpwall():
            person = FIRST_PERSON <= entry.pw_uid < NOBODY
            if (person or entry.pw_uid == 0) and os.path.isdir(entry.pw_dir):
                mode = stat.S_IMODE(os.stat(entry.pw_dir).st_mode)
                if mode & 0o027:
                    self.step(f"home of {entry.pw_name} is closed to others", "chmod", "g-w,o=", entry.pw_dir)
            service = 0 < entry.pw_uid < FIRST_PERSON and entry.pw_name not in self.wanted["shells_allowed"]
            if service and entry.pw_shell in SHELLS:
                self.step(f"{entry.pw_name} has no shell", "usermod", "-s", NOLOGIN, entry.pw_name)
            if service and has_password(self.shadow().get(entry.pw_name, [""])[0]):
                self.step(f"password of {entry.pw_name} is locked", "usermod", "-L", entry.pw_name)

    def dates(self):
        """A last change of a password that lies ahead, or is 0, would refuse even a login by key."""
        today = (date.today() - date(1970, 1, 1)).days
        for name, fields in self.shadow().items():
            changed = int(fields[1]) if fields[1].isdigit() else None
            must_change = changed == 0 and name in self.wanted["automation"]
            if changed is not None and (changed > today or must_change):
                self.step(
                    f"password of {name} counts from today", "chage", "-d", date.today().isoformat(), name
                )

    def memberships(self):
        """Nobody reads the hashes through a group."""
        for name in grp.getgrnam("shadow").gr_mem:
            self.step(f"{name} leaves the group shadow", "gpasswd", "-d", name, "shadow")

    def own_files(self):
        """What a person's shell reads is written by that person only; folders are closed as the home is."""
        for entry in pwd.getpwall():
            if not (entry.pw_uid == 0 or FIRST_PERSON <= entry.pw_uid < NOBODY) or not os.path.isdir(
                entry.pw_dir
            ):
                continue
            for item in os.scandir(entry.pw_dir):
                # Made before the umask was what it is; Ansible's own folder is, by the first connection.
                if item.is_dir(follow_symlinks=False) and item.stat(follow_symlinks=False).st_mode & 0o027:
                    self.step(f"{item.path} is closed to others", "chmod", "g-w,o=", item.path)
                if item.name.startswith(".") and item.is_file(follow_symlinks=False):
                    closed = 0o177 if item.name in PRIVATE_FILES else 0o137
                    if stat.S_IMODE(item.stat(follow_symlinks=False).st_mode) & closed:
                        self.step(
                            f"{item.path} is closed",
                            "chmod",
                            "u-x,go-rwx" if closed == 0o177 else "u-x,g-wx,o-rwx",
                            item.path,
                        )

    def shells(self, path="/etc/shells"):
        """`nologin` in the list of shells would let services take such an account for a person's."""
        with open(path, encoding="utf-8") as file:
            lines = file.readlines()
        kept = [line for line in lines if not line.strip().endswith("/nologin")]
        if kept != lines:
            self.done.append("nologin is no shell to choose")
            if not self.module.check_mode:
                node.put_file(path, "".join(kept).encode(), 0o644, 0, 0)

    def run(self):
        """Everything, in the order in which one thing needs the other."""
        self.known = {entry.pw_name for entry in pwd.getpwall()}
        self.named = {person["name"] for person in self.wanted["people"]}
        self.connection_stays()
        self.groups()
        self.automation()
        self.people()
        self.leavers()
        self.dates()
        self.passwords()
        self.homes_and_shells()
        self.memberships()
        self.own_files()
        self.shells()
        return {
            "changed": bool(self.done),
            "done": self.done,
            "diff": {"prepared": "\n".join(self.done) + "\n"},
        }


def main():
    """Entry point."""
    names = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={
            "login": {"type": "str", "required": True},
            "login_group": {"type": "str", "required": True},
            "admin_group": {"type": "str", "required": True},
            "people": {"type": "list", "elements": "dict", "default": []},
            "automation": names,
            "image_account": {"type": "str", "default": "admin"},
            # Public, and named so that Ansible does not take them for secrets.
            "keys": {**names, "no_log": False},
            "shells_allowed": names,
            "ageing": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    result = Accounts(module).run()
    module.exit_json(**result)


if __name__ == "__main__":
    main()
