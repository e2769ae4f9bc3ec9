#!/usr/bin/python3
"""Stockade's guard: generations of the access-critical files, and the revert of a change nobody has proven.

Lives twice: inside Ansible modules, and on the node as /usr/local/sbin/stockade-guard, where it has to work
without any controller. Standard library only. State lies in /var/lib/stockade:

    generations/<n>/files.tar, about.json   what the node looked like before change n
    pending.json                            change n is applied and waits for its proof
    managed.json                            paths that a guarded change has ever written
    history.jsonl                           what happened, one line each
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import fnmatch
import io
import json
import os
import shutil
import sys
import tarfile
import time

try:
    from ansible.module_utils import stockade_files as files
except ImportError:  # on the node, where both files lie side by side
    import stockade_files as files

HOME = "/var/lib/stockade"
PROGRAM = "/usr/local/sbin/stockade-guard"
FIREWALL_RULES = "/etc/stockade/firewall.nft"
FIREWALL_LOADER = "/usr/local/sbin/stockade-firewall"
# What decides whether somebody gets in and becomes root. Host keys and password hashes stay out of it.
ACCESS_CRITICAL = (
    "/etc/ssh/sshd_config",
    "/etc/ssh/sshd_config.d",
    "/etc/pam.d",
    "/etc/security",
    "/etc/login.defs",
    "/etc/default/useradd",
    "/etc/profile.d/50-stockade.sh",
    "/etc/issue",
    "/etc/issue.net",
    "/etc/motd",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/nftables.conf",
    "/etc/stockade",
    "/usr/local/sbin/stockade-firewall",
    "/etc/systemd/system/stockade-firewall.service",
    "/etc/systemd/system/sysinit.target.wants/stockade-firewall.service",
    "/etc/sysctl.conf",
    "/etc/sysctl.d",
)
NEVER_RESTORED = ("/etc/security/opasswd",)


class GuardError(Exception):
    """The guard refuses; the message is one line for a person."""


def read_json(path, otherwise):
    """The content of a JSON file, or `otherwise` when there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return otherwise


class Guard:
    """The guard's state below `home`; `root` is prefixed to every managed path (tests use a scratch tree)."""

    def __init__(self, home=HOME, root=""):
        self.home = home
        self.root = root
        self.generations = os.path.join(home, "generations")
        self.pending_file = os.path.join(home, "pending.json")
        self.managed_file = os.path.join(home, "managed.json")
        self.history_file = os.path.join(home, "history.jsonl")

    def prepare(self):
        """Make the state folder; readable by root only, for sudo rules and PAM files lie in it."""
        os.makedirs(self.generations, mode=0o700, exist_ok=True)
        os.chmod(self.home, 0o700)

    @contextlib.contextmanager
    def locked(self):
        """One at a time: the timer, the proof and a second controller never interleave."""
        self.prepare()
        with open(os.path.join(self.home, "lock"), "w", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    # -- looking --
    def numbers(self):
        """Generation numbers that can be restored, in order."""
        with contextlib.suppress(FileNotFoundError):
            return sorted(
                int(n)
                for n in os.listdir(self.generations)
                if n.isdigit() and os.path.exists(os.path.join(self.generations, n, "about.json"))
            )
        return []

    def pending(self):
        """The change that waits for its proof: {generation, concern, seconds, deadline, boot_id}, or None."""
        return read_json(self.pending_file, None)

    def managed(self):
        """Paths that guarded changes have written."""
        return list(read_json(self.managed_file, []))

    def about(self, number):
        """What generation `number` is: {generation, concern, time, paths, firewall_loaded, sysctl}."""
        found = read_json(os.path.join(self.generations, str(number), "about.json"), None)
        if found is None:
            have = ", ".join(map(str, self.numbers())) or "none"
            raise GuardError(f"generation {number} does not exist on this node; it has: {have}")
        return found

    def record(self, event, **details):
        """Append to the history and tell the journal (stderr of a unit goes there)."""
        line = json.dumps({"time": int(time.time()), "event": event, **details}, sort_keys=True)
        with open(self.history_file, "a", encoding="utf-8") as file:
            file.write(line + "\n")
        print(f"stockade-guard: {event}: {details}", file=sys.stderr)

    # -- generations --
    def _existing(self, paths):
        """Every file, link and directory below `paths` that exists, parents first."""
        found = set()
        for path in paths:
            real = self.root + path
            if not os.path.lexists(real):
                continue
            found.add(path)
            if os.path.isdir(real) and not os.path.islink(real):
                for folder, folders, names in os.walk(real):
                    found.update(os.path.join(folder, name)[len(self.root) :] for name in folders + names)
        return sorted(found - set(NEVER_RESTORED))

    def snapshot(self, concern, paths, keep=20):
        """Save the access-critical set and `paths` as a new generation; its number."""
        self.prepare()
        numbers = self.numbers()
        number = (numbers[-1] if numbers else 0) + 1
        folder = os.path.join(self.generations, str(number))
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder, mode=0o700)
        scope = sorted({*ACCESS_CRITICAL, *self.managed(), *paths})
        tar_bytes = io.BytesIO()
        with tarfile.open(fileobj=tar_bytes, mode="w") as tar:
            for path in self._existing(scope):
                tar.add(self.root + path, arcname=path, recursive=False)
        files.write_durably(os.path.join(folder, "files.tar"), tar_bytes.getvalue())
        about = {
            "generation": number,
            "concern": concern,
            "time": int(time.time()),
            "paths": scope,
            "firewall_loaded": self.root == ""
            and files.run(["nft", "list", "table", "inet", "stockade"])[0] == 0,
            "sysctl": files.run(["sysctl", "-a"])[1] if self.root == "" else "",
        }
        # Written last: a generation without it does not count.
        files.write_durably(os.path.join(folder, "about.json"), json.dumps(about).encode())
        for old in numbers[1:][: max(0, len(numbers) - keep)]:
            shutil.rmtree(os.path.join(self.generations, str(old)), ignore_errors=True)
        return number

    def differences(self, number):
        """What restoring generation `number` would do: [(path, member or None to remove, content)]."""
        about = self.about(number)
        todo, present = [], set()
        with tarfile.open(os.path.join(self.generations, str(number), "files.tar")) as tar:
            for member in tar.getmembers():
                path = "/" + member.name.lstrip("/")
                present.add(path)
                content = b""
                if member.isfile():
                    content = tar.extractfile(member).read()
                if not files.same(self.root + path, member, content):
                    todo.append((path, member, content))
        # Only what we brought is taken away again (a package's or a person's own file is not ours), and
        # only where this generation looked: elsewhere it does not know whether there was a file.
        looked = tuple(about["paths"])
        below = tuple(f"{path}/" for path in looked)
        ours = {path for path in self.managed() if path in looked or path.startswith(below)}
        for path in sorted(ours - present, reverse=True):
            if os.path.lexists(self.root + path) and not os.path.isdir(self.root + path):
                todo.append((path, None, b""))
        return todo

    def restore(self, number, activate=True):
        """Bring the files back to generation `number` and put them in force; the paths that changed."""
        todo = self.differences(number)
        left = [
            key
            for path, _, _ in todo
            if path.startswith("/etc/sysctl")
            for key in sysctl_keys(self.root + path)
        ]
        for path, member, content in todo:
            if member is None:
                os.unlink(self.root + path)
            else:
                files.put(self.root + path, member, content)
        paths = [path for path, _, _ in todo]
        if activate and self.root == "":
            self._activate(number, paths, left)
        return paths

    def _activate(self, number, paths, sysctls):
        """Reload what reads the files; every step is tried, whatever the others say."""
        about = self.about(number)
        if any(p.startswith("/etc/systemd/") for p in paths):
            files.run(["systemctl", "daemon-reload"])
        if about["firewall_loaded"] and os.path.exists(FIREWALL_RULES):
            files.run([FIREWALL_LOADER, "load"])
        else:
            files.run(["nft", "delete", "table", "inet", "stockade"])
        if any(p.startswith("/etc/sysctl") for p in paths):
            restore_sysctl(about["sysctl"], sysctls)
        if any(p.startswith("/etc/ssh/") for p in paths):
            files.run(["systemctl", "reload-or-restart", "ssh.service"])

    # -- the timed revert --
    def arm(self, number, concern, seconds):
        """From now on the change reverts by itself: after `seconds`, or at the next boot."""
        pending = {
            "generation": number,
            "concern": concern,
            "seconds": seconds,
            "deadline": int(time.time()) + seconds,
        }
        files.write_durably(self.pending_file, json.dumps(pending).encode())
        code, said = files.run(
            [
                *(
                    "systemd-run",
                    "--quiet",
                    f"--unit={timer(number)}",
                    f"--on-active={seconds}s",
                    "--collect",
                ),
                *("--timer-property=AccuracySec=100ms", PROGRAM, "revert", "--generation", str(number)),
            ]
        )
        if code != 0:
            self._disarm(number)
            raise GuardError(f"the timed revert could not be armed, so nothing was changed: {said}")

    def _disarm(self, number):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.pending_file)
        files.sync_directory(self.home)
        files.run(["systemctl", "stop", f"{timer(number)}.timer"])

    def confirm(self, number):
        """The proof, called through a new login that gained root. Raises when nothing waits for it."""
        with self.locked():
            pending = self.pending()
            if not pending or pending["generation"] != number:
                raise GuardError(
                    f"change {number} does not wait for a proof; it was reverted or never applied"
                )
            self._disarm(number)
            self.record("proven", generation=number, concern=pending["concern"])

    def revert(self, why, number=None, activate=True):
        """Undo the change that waits for its proof; the paths restored, or None when there is none."""
        with self.locked():
            pending = self.pending()
            if not pending or number not in (None, pending["generation"]):
                return None
            number = pending["generation"]
            paths = self.restore(number, activate)
            self.record("reverted", generation=number, concern=pending["concern"], why=why, paths=paths)
            # Only now: a power cut in the middle of a revert reverts again.
            self._disarm(number)
            return paths


def timer(number):
    """Name of the transient unit that reverts change `number`."""
    return f"stockade-revert-{number}"


def sysctl_keys(path):
    """Parameters that a sysctl file names, in dots; an asterisk stays one."""
    try:
        with open(path, encoding="utf-8") as file:
            lines = [line.strip() for line in file]
    except OSError:
        return []
    named = [
        line.partition("=")[0].strip().lstrip("-") for line in lines if "=" in line and line[0] not in "#;"
    ]
    return [name.replace("/", ".") for name in named]


def restore_sysctl(before, keys):
    """Give `keys` their running values of `before` (`sysctl -a`) back; then what the files say wins."""
    values = dict(line.split(" = ", 1) for line in before.splitlines() if " = " in line)
    for name, value in values.items():
        if any(fnmatch.fnmatchcase(name, key) for key in keys):
            files.run(["sysctl", "-q", "-w", f"{name}={value}"])
    files.run(["sysctl", "--system"])


def main(arguments=None):
    """`stockade-guard status | confirm N | revert [--generation N] [--boot] | restore N`; exit code."""
    parser = argparse.ArgumentParser(prog="stockade-guard", description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("status", help="what waits for its proof, and which generations there are (JSON)")
    verbs.add_parser("confirm", help="this new login proves change N").add_argument("number", type=int)
    revert = verbs.add_parser("revert", help="undo the change that waits for its proof")
    revert.add_argument("--generation", type=int)
    revert.add_argument(
        "--boot", action="store_true", help="before the services start: restore, reload nothing"
    )
    verbs.add_parser("restore", help="bring generation N back, from the console").add_argument(
        "number", type=int
    )
    chosen = parser.parse_args(arguments)
    guard = Guard()
    try:
        if chosen.verb == "confirm":
            guard.confirm(chosen.number)
        elif chosen.verb == "revert":
            guard.revert(
                "the node restarted" if chosen.boot else "no proof came", chosen.generation, not chosen.boot
            )
        elif chosen.verb == "restore":
            with guard.locked():
                guard.snapshot("console", [])
                print("\n".join(guard.restore(chosen.number)))
        else:
            known = [
                {k: guard.about(n)[k] for k in ("generation", "concern", "time")} for n in guard.numbers()
            ]
            print(json.dumps({"pending": guard.pending(), "generations": known}))
    except GuardError as error:
        print(f"stockade-guard: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
