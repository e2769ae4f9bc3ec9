"""What decides per account whether somebody gets in, kept with a generation and brought back.

Standard library only: it also runs on the node without any controller. Password hashes stay in /etc/shadow; a
generation knows only whether one was locked.
"""

from __future__ import annotations

import contextlib
import grp
import json
import os
import pwd
import stat

try:
    from ansible.module_utils import stockade_files as files
except ImportError:  # on the node, where the files lie side by side
    import stockade_files as files

PEOPLE_FILE = "/var/lib/stockade/people.json"
NOLOGIN = "/usr/sbin/nologin"
FIRST_PERSON, NOBODY = 1000, 65534
CLOSED = "1"  # shadow(5): expired on 1970-01-02
AGEING = ("last", "min", "max", "warn", "inactive", "expires")
OPTIONS = {"min": "-m", "max": "-M", "warn": "-W", "inactive": "-I", "expires": "-E"}  # of chage(1)


def shadow(path="/etc/shadow"):
    """{name: [password, last change, min, max, warn, inactive, expires]}, fields as in shadow(5)."""
    with open(path, encoding="utf-8") as file:
        rows = [line.rstrip("\n").split(":") for line in file if ":" in line]
    return {row[0]: row[1:8] for row in rows}


def look():
    """{name: what decides about its logins} of every account on this node."""
    secrets, found = shadow(), {}
    groups = [(group.gr_name, set(group.gr_mem)) for group in grp.getgrall()]
    for entry in pwd.getpwall():
        fields = secrets.get(entry.pw_name, [""] * 7)
        found[entry.pw_name] = {
            "shell": entry.pw_shell,
            "locked": fields[0].startswith("!"),
            "ageing": {key: fields[at] for at, key in enumerate(AGEING, 1)},
            "groups": sorted(name for name, members in groups if entry.pw_name in members),
            "files": way_in(entry.pw_dir) if person(entry.pw_uid) else {},
        }
    return found


def person(uid):
    """Whether an account is somebody's, not a service's."""
    return uid == 0 or FIRST_PERSON <= uid < NOBODY


def way_in(home):
    """{path: [mode, uid, gid, keys or None]} of what sshd looks at; links are left to those who made them."""
    found = {}
    folder = os.path.join(home, ".ssh")
    keys = os.path.join(folder, "authorized_keys")
    for path in (home, folder, keys):
        with contextlib.suppress(OSError):
            have = os.lstat(path)
            text = None
            if stat.S_ISREG(have.st_mode):
                with open(path, encoding="utf-8", errors="surrogateescape") as file:
                    text = file.read()
            elif not stat.S_ISDIR(have.st_mode):
                break
            found[path] = [stat.S_IMODE(have.st_mode), have.st_uid, have.st_gid, text]
    return found


def closed(facts):
    """Whether an account is shut the way a leaver's is."""
    return facts["shell"] == NOLOGIN and facts["ageing"].get("expires") == CLOSED and not facts["groups"]


def steps(before, now, ours=(), reopen=True):
    """What brings `now` back to `before`: [(what, command or (path, mode, uid, gid, text or None))].

    `ours`: names that Stockade made; one that `before` lacks is closed, never deleted. Without `reopen` (a
    rollback over days, not the undoing of one change) whoever has left meanwhile stays out.
    """
    todo = []
    for name, facts in sorted(now.items()):
        if name not in before:
            if name in ours and not closed(facts):
                close = ("usermod", "-L", "-e", "1970-01-02", "-G", "", "-s", NOLOGIN, name)
                todo.append((f"account {name} is closed", close))
            continue
        if name in ours and closed(facts) and not reopen:
            continue
        todo += commands(name, before[name], facts)
        todo += [
            (f"{path} as it was", (path, *entry))
            for path, entry in sorted(before[name]["files"].items())
            if facts["files"].get(path) != entry
        ]
    return todo


def commands(name, then, now):
    """The commands that bring one account back."""
    todo = []
    if now["shell"] != then["shell"]:
        todo.append((f"shell of {name}", ("usermod", "-s", then["shell"], name)))
    if now["groups"] != then["groups"]:
        todo.append((f"groups of {name}", ("usermod", "-G", ",".join(then["groups"]), name)))
    if now["locked"] != then["locked"]:
        todo.append((f"password of {name}", ("usermod", "-L" if then["locked"] else "-U", name)))
    options = [
        part
        for key, option in OPTIONS.items()
        if now["ageing"].get(key) != then["ageing"].get(key)
        for part in (option, then["ageing"].get(key) or "-1")
    ]
    # A password that somebody changed meanwhile keeps its own day; 0 means "must be changed at once".
    if now["ageing"].get("last") == "0" != then["ageing"].get("last"):
        options += ["-d", then["ageing"].get("last") or "-1"]
    if options:
        todo.append((f"ageing of {name}", ("chage", *options, name)))
    return todo


def made_here():
    """Names of the people that Stockade has ever made."""
    try:
        with open(PEOPLE_FILE, encoding="utf-8") as file:
            return set(json.load(file))
    except (OSError, ValueError):
        return set()


def take(step):
    """Do one step; what went wrong, or None."""
    what, action = step
    if isinstance(action[1], str):
        known = {group.gr_name for group in grp.getgrall()}
        if action[1] == "-G":  # groups that are gone since cannot be had back
            action = (*action[:2], ",".join(g for g in action[2].split(",") if g in known), action[3])
        code, said = files.run(list(action))
        # usermod rightly refuses to open an account that would then have no password at all.
        return f"{what}: {said}" if code != 0 and action[1] != "-U" else None
    path, mode, uid, gid, text = action
    if os.path.islink(os.path.dirname(path)) or (text is None and os.path.islink(path)):
        return f"{what}: a link stands in the way; whoever owns it would have root write elsewhere"
    try:
        if text is not None:
            files.put_anyhow(path, text.encode(errors="surrogateescape"), mode, uid, gid)
        else:
            os.makedirs(path, exist_ok=True)
            os.chown(path, uid, gid)
            os.chmod(path, mode)
    except OSError as error:
        return f"{what}: {error}"
    return None
