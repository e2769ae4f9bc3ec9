"""Generations: what decides about access on this node, kept before each change and brought back.

Standard library only: it also runs on the node without any controller.
"""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import io
import json
import os
import shutil
import tarfile
import time

try:
    from ansible.module_utils import stockade_accounts as accounts
    from ansible.module_utils import stockade_files as files
except ImportError:  # on the node, where the files lie side by side
    import stockade_accounts as accounts
    import stockade_files as files

SYSCTL, SYSCTL_FILE = "sysctl_set", "/etc/sysctl.d/99-zz-stockade.conf"  # who changes them, and where
FIREWALL_RULES = "/etc/stockade/firewall.nft"
FIREWALL_LOADER = "/usr/local/sbin/stockade-firewall"
# What decides whether somebody gets in and becomes root. Host keys and password hashes stay out of it.
ACCESS_CRITICAL = (
    "/etc/ssh/sshd_config",
    "/etc/ssh/sshd_config.d",
    "/etc/hosts.allow",
    "/etc/securetty",
    "/etc/aliases",
    "/etc/hosts.deny",
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
    "/etc/ssl/openssl.cnf",
    "/etc/gnutls",
    "/etc/nftables.conf",
    "/etc/stockade",
    "/usr/local/sbin/stockade-firewall",
    "/etc/systemd/system/stockade-firewall.service",
    "/etc/systemd/system/sysinit.target.wants/stockade-firewall.service",
    "/usr/local/sbin/stockade-sudo-records",
    "/etc/systemd/system/stockade-sudo-records.service",
    "/etc/systemd/system/stockade-sudo-records.timer",
    "/etc/systemd/system/timers.target.wants/stockade-sudo-records.timer",
    "/etc/systemd/system/ssh.service.d",
    "/etc/systemd/system/ssh.socket.d",
    "/etc/sysctl.conf",
    "/etc/sysctl.d",
    "/etc/default/ssh",
    "/etc/default/grub",
    "/etc/default/grub.d",
    "/etc/grub.d",
)
NEVER_RESTORED = ("/etc/security/opasswd",)
# Whose mere existence shuts everybody out: nologin(5), and units that were masked.
SHUTTERS = (
    "/etc/nologin",
    "/run/nologin",
    "/etc/systemd/system/ssh.service",
    "/etc/systemd/system/ssh.socket",
    "/run/systemd/system/ssh.service",
)


class GuardError(Exception):
    """The guard refuses; the message is one line for a person."""


def read_json(path, otherwise):
    """The content of a JSON file, or `otherwise` when there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return otherwise


def shuts(path):
    """Whether a path of SHUTTERS is there and shuts."""
    return os.path.exists(path) and ("nologin" in path or os.path.realpath(path) == "/dev/null")


class Generations:
    """The generations below `home`; `root` is prefixed to every managed path (tests use a scratch tree)."""

    def __init__(self, home, root=""):
        self.home = home
        self.root = root
        self.generations = os.path.join(home, "generations")
        self.managed_file = os.path.join(home, "managed.json")

    def prepare(self):
        """Make the state folder; readable by root only, for sudo rules and PAM files lie in it."""
        os.makedirs(self.generations, mode=0o700, exist_ok=True)
        os.chmod(self.home, 0o700)

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

    def managed(self):
        """Paths that guarded changes have written."""
        return list(read_json(self.managed_file, []))

    def about(self, number):
        """What generation `number` is: {generation, concern, time, paths, firewall_loaded, sysctl, ...}."""
        found = read_json(os.path.join(self.generations, str(number), "about.json"), None)
        if found is None:
            have = ", ".join(map(str, self.numbers())) or "none"
            raise GuardError(
                f"generation {number} does not exist on this node; it has: {have}; name one of them"
            )
        return found

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

    # -- keeping --
    def snapshot(self, concern, paths, keep=20):
        """Save the access-critical set, the accounts and `paths` as a new generation; its number."""
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
        real = self.root == ""
        about = {
            "generation": number,
            "concern": concern,
            "time": int(time.time()),
            "paths": scope,
            "firewall_loaded": real and files.run(["nft", "list", "table", "inet", "stockade"])[0] == 0,
            "sysctl": files.run(["sysctl", "-a"])[1] if real else "",
            "accounts": accounts.look() if real else {},
            "shut_by": [path for path in SHUTTERS if shuts(self.root + path)],
        }
        # Written last: a generation without it does not count.
        files.write_durably(os.path.join(folder, "about.json"), json.dumps(about).encode())
        for old in numbers[1:][: max(0, len(numbers) - keep)]:
            shutil.rmtree(os.path.join(self.generations, str(old)), ignore_errors=True)
        return number

    # -- comparing --
    def differences(self, number):
        """What restoring generation `number` would do: [(path, member or None to remove, content)]."""
        about = self.about(number)
        todo, present = [], set()
        looked = tuple(about["paths"])
        below = tuple(f"{path}/" for path in looked)
        with tarfile.open(os.path.join(self.generations, str(number), "files.tar"), "r:") as tar:
            for member in tar.getmembers():
                path = "/" + member.name.lstrip("/")
                # Never more than the generation looked at: the mode of /usr is no business of a way back.
                if path not in looked and not path.startswith(below):
                    continue
                present.add(path)
                content = b""
                if member.isfile():
                    content = tar.extractfile(member).read()
                if not files.same(self.root + path, member, content):
                    todo.append((path, member, content))
        todo += [(path, None, b"") for path in self._strangers(about, present)]
        shut = [path for path in SHUTTERS if shuts(self.root + path)]
        return todo + [(path, None, b"") for path in shut if path not in about.get("shut_by", SHUTTERS)]

    def _strangers(self, about, present):
        """Files that were not there and that we brought; a package's or a person's own file is not ours.

        Only where this generation looked: elsewhere it does not know whether there was a file.
        """
        looked = tuple(about["paths"])
        below = tuple(f"{path}/" for path in looked)
        named = {p for p in self._existing(ACCESS_CRITICAL) if "stockade" in os.path.basename(p)}
        ours = {p for p in {*self.managed(), *named} if p in looked or p.startswith(below)}
        return [
            path
            for path in sorted(ours - present, reverse=True)
            if os.path.lexists(self.root + path)
            and (os.path.islink(self.root + path) or not os.path.isdir(self.root + path))
        ]

    def account_steps(self, number, reopen):
        """What brings the accounts back; a generation from before they were kept has none to bring."""
        before = self.about(number).get("accounts")
        if not before or self.root:
            return []
        return accounts.steps(before, accounts.look(), accounts.made_here(), reopen)

    # -- bringing back --
    def restore(self, number, activate=True, reopen=False):
        """Bring files and accounts back to generation `number` and put them in force; what changed.

        Every step is tried, whatever became of the others; then GuardError names those that failed.
        """
        todo = self.differences(number)
        left = [
            key
            for path, _, _ in todo
            if path.startswith("/etc/sysctl")
            for key in sysctl_keys(self.root + path)
        ]
        problems = [self._bring_back(*step) for step in todo]
        paths = [path for path, _, _ in todo]
        for step in self.account_steps(number, reopen):
            problems.append(accounts.take(step))
            paths.append(step[0])
        if activate and self.root == "":
            self._activate(number, paths, left)
        failed = [problem for problem in problems if problem]
        if failed:
            raise GuardError(f"generation {number} came back only in part: {'; '.join(failed)}")
        return paths

    def _bring_back(self, path, member, content):
        """One file; what went wrong, or None."""
        for last in (False, True):
            try:
                if member is None:
                    os.unlink(self.root + path)
                    folder = os.path.dirname(self.root + path)
                    if os.path.basename(folder) == "stockade":
                        with contextlib.suppress(OSError):  # ours alone, and gone with its last file
                            os.rmdir(folder)
                else:
                    files.put(self.root + path, member, content)
            except OSError as error:
                if not last and error.errno in (errno.ENOSPC, errno.EDQUOT):
                    self.free_ballast()
                    continue
                return f"{path}: {error.strerror}"
            return None
        return None

    def free_ballast(self):
        """Give up the room that was set aside for this moment."""

    def _activate(self, number, paths, sysctls):
        """Reload what reads the files; every step is tried, whatever the others say."""
        about = self.about(number)
        if any(p.startswith(("/etc/systemd/", "/run/systemd/")) for p in paths):
            files.run(["systemctl", "daemon-reload"])
        if not (about["firewall_loaded"] and os.path.exists(FIREWALL_RULES)):
            files.run(["nft", "delete", "table", "inet", "stockade"])
        elif files.run([FIREWALL_LOADER, "load"])[0] != 0:
            # The loader is a program of its own; the rules can do without it.
            files.run(["nft", "-f", FIREWALL_RULES])
        if any(p.startswith("/etc/sysctl") for p in paths):
            restore_sysctl(about["sysctl"], sysctls)
            files.run(["sysctl", "--system"])
        elif about["concern"] == SYSCTL:
            # The file said so before, and the node did not: what it did is what let people in.
            restore_sysctl(about["sysctl"], sysctl_keys(SYSCTL_FILE))
        reload_ssh(any(p.startswith(("/etc/ssh/", "/etc/ssl/", "/etc/systemd/")) for p in paths))
        # Last, because it takes a slow disk minutes and lets nobody in.
        if any(p.startswith(("/etc/default/grub", "/etc/grub.d")) for p in paths):
            files.run(["update-grub"], seconds=600)


def reload_ssh(changed):
    """Let sshd read its files again, by whichever unit listens here; start it when nothing listens."""
    # A server that failed a few times in a row is not started again before this.
    files.run(["systemctl", "reset-failed", "ssh.service", "ssh.socket"])
    if files.run(["systemctl", "is-active", "ssh.socket"])[0] == 0:
        if changed:
            files.run(["systemctl", "daemon-reload"])
            files.run(["systemctl", "restart", "ssh.socket"])
    elif changed or files.run(["systemctl", "is-active", "ssh.service"])[0] != 0:
        files.run(["systemctl", "reload-or-restart", "ssh.service"])


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
    """Give `keys` their running values of `before` (`sysctl -a`) back, those that differ in one call."""
    for _ in range(2):  # forwarding, where it changes, resets what was set before it
        now = running_values(files.run(["sysctl", "-a"])[1])
        wrong = [
            f"{name}={value}"
            for name, value in running_values(before).items()
            if now.get(name) != value and any(fnmatch.fnmatchcase(name, key) for key in keys)
        ]
        if not wrong:
            return
        # One that the kernel refuses keeps no other from its value.
        files.run(["sysctl", "-q", "--ignore", "-w", *wrong])


def running_values(shown):
    """What `sysctl -a` shows, as {parameter: value}."""
    return dict(line.split(" = ", 1) for line in shown.splitlines() if " = " in line)
