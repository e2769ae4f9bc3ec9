#!/usr/bin/python3
"""Stockade's guard: generations of the access-critical files, and the revert of a change nobody has proven.

Lives twice: inside Ansible modules, and on the node as /usr/local/sbin/stockade-guard, where it has to work
without any controller. Standard library only. State lies in /var/lib/stockade:

    generations/<n>/files.tar, about.json   what the node looked like before change n
    pending.json                            change n is applied and waits for its proof
    managed.json                            paths that a guarded change has ever written
    history.jsonl                           what happened, one line each
    ballast                                 room for the revert, set aside while a change waits for its proof

Three things bring an unproven change back, each of them alone: a transient timer, the watch (a path unit that
pending.json starts), and the boot. None of them asks what time it is: a clock that jumps shifts nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import shutil
import sys
import tarfile
import time
from glob import glob

try:
    from ansible.module_utils import stockade_files as files
    from ansible.module_utils.stockade_generations import (
        ACCESS_CRITICAL,
        Generations,
        GuardError,
        read_json,
        sysctl_keys,
    )
except ImportError:  # on the node, where the files lie side by side
    import stockade_files as files
    from stockade_generations import ACCESS_CRITICAL, Generations, GuardError, read_json, sysctl_keys

__all__ = ["ACCESS_CRITICAL", "Guard", "GuardError", "sysctl_keys"]

HOME = "/var/lib/stockade"
PROGRAM = "/usr/local/sbin/stockade-guard"
BALLAST = 2 * 2**20  # bytes; all access-critical files together are a tenth of it
ROOM, INODES = 8 * 2**20, 64  # below this no change begins
WATCH_GRACE = 5  # seconds that the watch leaves to the timer
SSH, HOST_KEYS = "/etc/ssh", "/run/stockade-host-keys"
BOOT_ID = "/proc/sys/kernel/random/boot_id"


def boot_id():
    """This boot's id; it tells a deadline of this boot from one of an earlier one."""
    try:
        with open(BOOT_ID, encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


def uptime():
    """Seconds since boot, suspended ones too; nobody can set this clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Guard(Generations):
    """Generations, and the one change that waits for its proof."""

    def __init__(self, home=HOME, root=""):
        super().__init__(home, root)
        self.pending_file = os.path.join(home, "pending.json")
        self.history_file = os.path.join(home, "history.jsonl")

    @contextlib.contextmanager
    def locked(self, patience=90, insist=False):
        """One at a time: the timer, the proof and a second controller never interleave.

        Whoever waits longer than `patience` seconds is refused; a revert (`insist`) goes on without.
        """
        end = time.monotonic() + patience
        with contextlib.ExitStack() as stack:
            try:
                self.prepare()
                file = stack.enter_context(open(os.path.join(self.home, "lock"), "a", encoding="utf-8"))
            except OSError:
                if not insist:
                    raise
                file = None
            while file is not None:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() < end:
                        time.sleep(0.05)
                    elif insist:
                        break
                    else:
                        raise GuardError(
                            f"somebody holds the guard's lock for over {patience} s; nothing was changed; "
                            "see who on the node: fuser -v /var/lib/stockade/lock"
                        ) from None
            yield

    def pending(self):
        """The change that waits for its proof: {generation, concern, seconds, deadline, ...}, or None."""
        return read_json(self.pending_file, None)

    def overdue(self, pending, grace=0.0):
        """Whether a pending change should be gone by now."""
        return pending.get("boot_id") != boot_id() or uptime() > pending.get("until", 0) + grace

    def record(self, event, **details):
        """Append to the history and tell the journal (stderr of a unit goes there)."""
        line = json.dumps({"time": int(time.time()), "event": event, **details}, sort_keys=True)
        with contextlib.suppress(OSError), open(self.history_file, "a", encoding="utf-8") as file:
            file.write(line + "\n")
        print(f"stockade-guard: {event}: {details}", file=sys.stderr)

    # -- room for the way back --
    def _ballasts(self):
        """Where room is set aside: beside the state, and beside /etc when that is another filesystem."""
        places = {self.home: os.path.join(self.home, "ballast")}
        etc = self.root + "/etc"
        if os.path.isdir(etc) and os.stat(etc).st_dev != os.stat(self.home).st_dev:
            places[etc] = os.path.join(etc, ".stockade-ballast")
        return places

    def check_room(self):
        """Refuse while there is room: a full disk lets nobody write the way back."""
        for folder in self._ballasts():
            have = os.statvfs(folder)
            free = have.f_bfree * have.f_frsize
            if free < ROOM:
                raise GuardError(
                    f"{free // 2**20} MB free below {folder}; the way back needs {ROOM // 2**20} MB; "
                    "nothing was changed; make room"
                )
            if have.f_files and have.f_ffree < INODES:
                raise GuardError(
                    f"{have.f_ffree} inodes free below {folder}; the way back needs {INODES}; "
                    "nothing was changed; remove files"
                )

    def set_ballast(self):
        """Set room aside, really written."""
        for path in self._ballasts().values():
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(os.urandom(4096) * (BALLAST // 4096))
                file.flush()
                os.fsync(file.fileno())

    def free_ballast(self):
        """Give up the room that was set aside for this moment."""
        with contextlib.suppress(OSError):
            for path in self._ballasts().values():
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)

    # -- what sshd cannot do without --
    def keep_host_keys(self):
        """Copy the host keys to memory while a change waits; no generation holds them, no disk keeps them."""
        if self.root:
            return
        os.makedirs(HOST_KEYS, mode=0o700, exist_ok=True)
        for path in glob(os.path.join(SSH, "ssh_host_*")):
            shutil.copy2(path, HOST_KEYS)

    def restore_host_keys(self):
        """Put host keys back that went away since: without one sshd turns every connection away."""
        for kept in [] if self.root else glob(os.path.join(HOST_KEYS, "ssh_host_*")):
            path = os.path.join(SSH, os.path.basename(kept))
            if os.path.exists(path):
                continue
            with open(kept, "rb") as file, contextlib.suppress(OSError):
                have = os.stat(kept)
                files.put_file(path, file.read(), have.st_mode & 0o777, 0, 0)

    # -- the timed revert --
    def arm(self, number, concern, seconds):
        """From now on the change reverts by itself: after `seconds`, or at the next boot."""
        pending = {
            "generation": number,
            "concern": concern,
            "seconds": seconds,
            "deadline": int(time.time()) + seconds,  # for people; programs go by the next two
            "until": uptime() + seconds,
            "boot_id": boot_id(),
        }
        try:
            self.set_ballast()
            self.keep_host_keys()
            files.write_durably(self.pending_file, json.dumps(pending).encode())
        except OSError as error:
            self._disarm(number)
            raise GuardError(
                f"the timed revert could not be armed, so nothing was changed: {error.strerror}"
            ) from None
        command = ["systemd-run", "--quiet", "--collect", f"--unit={timer(number)}"]
        command += [f"--on-active={seconds}s", "--timer-property=AccuracySec=100ms"]
        code, said = files.run([*command, PROGRAM, "revert", "--generation", str(number)])
        if code != 0:
            self._disarm(number)
            raise GuardError(f"the timed revert could not be armed, so nothing was changed: {said}")

    def _disarm(self, number):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.pending_file)
        self.free_ballast()
        if not self.root:
            shutil.rmtree(HOST_KEYS, ignore_errors=True)
        with contextlib.suppress(OSError):
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
        """Undo the change that waits for its proof; what was restored, or None when there is none.

        A revert that succeeds only in part raises GuardError and stays pending: the watch and the next boot
        try again.
        """
        with self.locked(patience=20, insist=True):
            pending = self.pending()
            if not pending or number not in (None, pending["generation"]):
                return None
            number = pending["generation"]
            self.restore_host_keys()
            try:
                paths = self.restore(number, activate, reopen=True)
            except GuardError as error:
                self.record("not reverted", generation=number, concern=pending["concern"], why=str(error))
                raise
            self.record("reverted", generation=number, concern=pending["concern"], why=why, paths=paths)
            # Only now: a power cut in the middle of a revert reverts again.
            self._disarm(number)
            return paths

    def watch(self, pause=1.0):
        """Stay while a change waits for its proof; revert it when nobody else did in time, until it works."""
        while pending := self.pending():
            if self.overdue(pending, WATCH_GRACE):
                try:
                    self.revert("no proof came, and its timer was lost")
                except (GuardError, OSError, tarfile.TarError) as error:
                    print(f"stockade-guard: tries again: {error}", file=sys.stderr)
                    pause = min(2 * pause, 30)
            time.sleep(pause)


def timer(number):
    """Name of the transient unit that reverts change `number`."""
    return f"stockade-revert-{number}"


def parser():
    """The command line."""
    made = argparse.ArgumentParser(prog="stockade-guard", description=__doc__.splitlines()[0])
    verbs = made.add_subparsers(dest="verb", required=True)
    verbs.add_parser("status", help="what waits for its proof, and which generations there are (JSON)")
    verbs.add_parser("list", help="the same for people")
    verbs.add_parser("watch", help="revert what waits too long; a unit runs this")
    verbs.add_parser("confirm", help="this new login proves change N").add_argument("number", type=int)
    revert = verbs.add_parser("revert", help="undo the change that waits for its proof")
    revert.add_argument("--generation", type=int)
    revert.add_argument("--boot", action="store_true", help="before the services start: reload nothing")
    restore = verbs.add_parser("restore", help="bring generation N back, from the console")
    restore.add_argument("number", type=int)
    return made


def told(guard):
    """Generations and what waits, a line each, for a person at the console."""
    pending = guard.pending()
    lines = []
    for number in guard.numbers():
        about = guard.about(number)
        at = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(about["time"]))
        lines.append(f"{number:>4}  {at}  before: {about['concern']}")
    if pending:
        lines.append(
            f"change {pending['generation']} ({pending['concern']}) waits for its proof; "
            f"it reverts by itself in {max(0, round(pending.get('until', 0) - uptime()))} s"
        )
    else:
        lines.append("no change waits for a proof")
    return "\n".join(lines)


def run(chosen, guard):
    """Do what the command line chose."""
    if chosen.verb == "confirm":
        guard.confirm(chosen.number)
    elif chosen.verb == "watch":
        guard.watch()
    elif chosen.verb == "revert":
        why = "the node restarted" if chosen.boot else "no proof came"
        guard.revert(why, chosen.generation, not chosen.boot)
    elif chosen.verb == "restore":
        guard.about(chosen.number)
        with guard.locked():
            guard.snapshot("console", [])
            print("\n".join(guard.restore(chosen.number)) or "nothing differs")
    elif chosen.verb == "list":
        print(told(guard))
    else:
        known = [{k: guard.about(n)[k] for k in ("generation", "concern", "time")} for n in guard.numbers()]
        print(json.dumps({"pending": guard.pending(), "generations": known}))


def main(arguments=None):
    """Run the command line; 0 good, 1 refused or failed, 2 wrong use."""
    chosen = parser().parse_args(arguments)
    if os.geteuid() != 0:
        print("stockade-guard: run it as root (sudo); its state is root's alone", file=sys.stderr)
        return 2
    try:
        run(chosen, Guard())
    except (GuardError, OSError, tarfile.TarError) as error:
        print(f"stockade-guard: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
