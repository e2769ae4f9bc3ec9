"""Ansible module: the node's half of a guarded change; the action plugin of that name is the controller's."""

from __future__ import annotations

DOCUMENTATION = """
module: guarded_change
short_description: Changes access-critical files behind a timed revert
description:
  - Stages and validates the files, snapshots the access-critical set as a generation, arms a timed revert
    that survives a power cut, applies every file atomically and puts it in force.
  - The controller's half proves the change through a new connection; without that proof the node reverts.
  - Nothing differs and everything is in force, nothing happens.
options:
  phase:
    type: str
    choices: [apply, arm, revert]
    default: apply
    description:
      - What to do. C(arm) snapshots and arms for a change that another module makes (accounts);
        C(revert) undoes change I(generation) at once.
  concern: {type: str, required: true, description: The role or reason; goes into the history.}
  files:
    type: list
    elements: dict
    default: []
    description: The wanted files.
    options:
      path: {type: str, required: true, description: Absolute path.}
      content: {type: str, description: Whole content; the action plugin renders it from a template.}
      mode: {type: str, default: "0644", description: Octal mode.}
      owner: {type: str, default: root, description: Owner.}
      group: {type: str, default: root, description: Group.}
      link: {type: str, description: Target of a symbolic link instead of content.}
      state: {type: str, choices: [present, absent], default: present, description: Whether it exists.}
  validate:
    type: list
    elements: list
    default: []
    description: Commands over the staged files (C({staged}) is their folder). A failing one changes nothing.
  check_applied:
    type: list
    elements: list
    default: []
    description: Commands over the applied files, before anything reloads. One that fails reverts at once.
  activate: {type: list, elements: list, default: [], description: Commands that put the files in force.}
  in_force:
    type: list
    elements: list
    default: []
    description: Commands that fail when the running state left the files; then it is applied again.
  restore: {type: int, description: Bring this generation back instead of writing files.}
  guarded: {type: bool, default: true, description: Snapshot and arm; off only for the guard's own files.}
  generation: {type: int, description: The change to revert.}
  revert_after: {type: int, default: 120, description: Seconds until the revert.}
  keep: {type: int, default: 20, description: Generations kept.}
author: [Stockade]
"""

import contextlib
import grp
import json
import os
import pwd
import re
import shutil
import stat
import tarfile
import tempfile
import time
from glob import glob

from ansible.module_utils import stockade_files as node
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.stockade_guard import Guard, GuardError

TIMER_PATIENCE = 15  # seconds after which a timer that should have fired counts as lost
PATIENCE = 600  # seconds to wait for other controllers' changes

FILE = {
    "path": {"type": "str", "required": True},
    "content": {"type": "str"},
    "mode": {"type": "str", "default": "0644"},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
    "link": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
COMMANDS = {"type": "list", "elements": "list", "default": []}
ARGUMENTS = {
    "phase": {"type": "str", "choices": ["apply", "arm", "revert"], "default": "apply"},
    "concern": {"type": "str", "required": True},
    "files": {"type": "list", "elements": "dict", "default": [], "options": FILE},
    "validate": COMMANDS,
    "check_applied": COMMANDS,
    "activate": COMMANDS,
    "in_force": COMMANDS,
    "restore": {"type": "int"},
    "guarded": {"type": "bool", "default": True},
    "generation": {"type": "int"},
    "revert_after": {"type": "int", "default": 120},
    "keep": {"type": "int", "default": 20},
}


def read(path):
    """Text of a file; of a link its target; None when there is none."""
    if os.path.islink(path):
        return f"-> {os.readlink(path)}\n"
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except (FileNotFoundError, IsADirectoryError):
        return None


def ids(entry):
    """Numeric owner and group of a wanted file."""
    return pwd.getpwnam(entry["owner"]).pw_uid, grp.getgrnam(entry["group"]).gr_gid


def differs(entry):
    """Whether a wanted file is not there as wanted."""
    path = entry["path"]
    if entry["state"] == "absent":
        return os.path.lexists(path)
    if entry["link"] is not None:
        return read(path) != f"-> {entry['link']}\n"
    if not os.path.isfile(path) or os.path.islink(path) or read(path) != entry["content"]:
        return True
    have = os.stat(path)
    return (have.st_uid, have.st_gid, stat.S_IMODE(have.st_mode)) != (*ids(entry), int(entry["mode"], 8))


def difference(entry):
    """One entry of Ansible's diff."""
    path = entry["path"]
    after = "" if entry["state"] == "absent" else entry["content"]
    if entry["link"] is not None:
        after = f"-> {entry['link']}\n"
    before = read(path) or ""
    if before == after:
        have = os.stat(path)
        names = f"{stat.S_IMODE(have.st_mode):04o} {have.st_uid}:{have.st_gid}\n"
        before, after = names, f"{entry['mode']} {':'.join(map(str, ids(entry)))}\n"
    return {"before_header": path, "after_header": path, "before": before, "after": after}


def apply_file(entry):
    """Bring one file about."""
    path = entry["path"]
    if entry["state"] == "absent":
        os.unlink(path)
        node.sync_directory(os.path.dirname(path))
        return
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    if entry["link"] is not None:
        node.put_link(path, entry["link"])
        return
    content = entry["content"].encode(errors="surrogateescape")
    node.put_file(path, content, int(entry["mode"], 8), *ids(entry))


def missing_pam_modules(entries, folders=("/usr/lib/*/security", "/lib/*/security", "/usr/lib/security")):
    """[path: module] of wanted PAM files that name a module which is not there; everybody would be refused.

    A leading dash lets a module be missing (pam.conf(5)).
    """
    have = {os.path.basename(path) for folder in folders for path in glob(f"{folder}/pam_*.so")}
    return [
        f"{entry['path']}: {name}"
        for entry in entries
        if entry["path"].startswith("/etc/pam.d/") and entry["state"] == "present" and entry["content"]
        for line in entry["content"].splitlines()
        if not line.lstrip().startswith(("#", "-"))
        for name in re.findall(r"\bpam_[\w-]+\.so\b", line.partition("#")[0])
        if name not in have and not glob(f"/*/security/{name}")
    ]


class Change:
    """One run of the module over the wanted files."""

    def __init__(self, module, guard=None):
        self.module = module
        self.wanted = module.params
        self.guard = guard or Guard()

    def fail(self, message, **details):
        """End with one clear line."""
        self.module.fail_json(msg=f"{self.wanted['concern']}: {message}", **details)

    def first_failure(self, commands, staged=""):
        """The first command that fails and what it said, or None."""
        for command in commands:
            code, said = node.run([part.replace("{staged}", staged) for part in command])
            # A blank node in check mode lacks some tools; on a real run a missing tool is a failure.
            if code != 0 and not (self.module.check_mode and code == 127):
                return f"`{' '.join(command)}` says ({code}): {said}"
        return None

    def validate(self):
        """Stage every wanted file where nothing reads it and let the validators judge."""
        self.refuse_missing_pam(self.wanted["files"])
        staged = ""
        try:
            staged = tempfile.mkdtemp(prefix="stockade-staged-", dir="/run")
            for entry in self.wanted["files"]:
                if entry["state"] == "present" and entry["link"] is None:
                    place = staged + entry["path"]
                    os.makedirs(os.path.dirname(place), mode=0o700, exist_ok=True)
                    content = entry["content"].encode(errors="surrogateescape")
                    node.put_file(place, content, int(entry["mode"], 8), 0, 0)
            refused = self.first_failure(self.wanted["validate"], staged)
        except OSError as error:
            refused = f"/run cannot take the files to be checked: {error.strerror}; make room there"
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        if refused:
            self.fail(f"refused before anything was changed: {refused}")

    def refuse_missing_pam(self, entries):
        """End before a PAM file comes that names a module which this node has not got."""
        missing = missing_pam_modules(entries)
        if missing and not self.module.check_mode:  # a blank node gets the module's package in the same run
            self.fail(
                f"refused before anything was changed: {', '.join(missing)} is not on this node; "
                "a PAM file that names a missing module keeps everybody out; install its package first"
            )

    def wait_for_pending(self):
        """An earlier change without proof reverts first; waiting for it is bounded by its own deadline."""
        while pending := self.guard.pending():
            if self.guard.overdue(pending, TIMER_PATIENCE):
                # Its timer is gone (it would have fired): the change must not stay unproven.
                self.guard.revert("its timer was lost")
                return
            time.sleep(0.5)

    @contextlib.contextmanager
    def our_turn(self):
        """The guard's lock, at a moment when no other change waits for its proof."""
        end = time.monotonic() + PATIENCE
        while True:
            self.wait_for_pending()
            with self.guard.locked():
                if not self.guard.pending():
                    yield
                    return
            if time.monotonic() > end:
                self.fail("other controllers are changing this node all the time; run again later")

    def arm(self, paths):
        """Wait for our turn, snapshot and arm; the generation's number. Until here nothing was changed."""
        if not os.path.exists("/usr/local/sbin/stockade-guard"):
            self.fail(
                "the guard is not on the node, so nothing could revert; run the role access_guard first"
            )
        try:
            with self.our_turn():
                self.guard.check_room()
                number = self.guard.snapshot(self.wanted["concern"], paths, self.wanted["keep"])
                managed = sorted({*self.guard.managed(), *paths})
                node.write_durably(self.guard.managed_file, json.dumps(managed).encode())
                self.guard.arm(number, self.wanted["concern"], self.wanted["revert_after"])
        except GuardError as error:
            self.fail(str(error))
        except OSError as error:
            self.fail(f"the node's state could not be kept, so nothing was changed: {error}")
        return number

    def still_ours(self, number):
        """Raise when the revert has come meanwhile: what is written after it would never be undone."""
        pending = self.guard.pending()
        if number is not None and (not pending or pending["generation"] != number):
            raise GuardError(
                f"it took longer than {self.wanted['revert_after']} s and was reverted meanwhile"
            )

    def apply(self, todo):
        """Write, check and put in force; anything that fails reverts at once."""
        paths = [entry["path"] for entry in self.wanted["files"]]
        number = self.arm(paths) if self.wanted["guarded"] else None
        try:
            if self.wanted["restore"] is not None:
                self.guard.restore(self.wanted["restore"])
            for entry in todo:
                with self.guard.locked():
                    self.still_ours(number)
                    apply_file(entry)
            problem = None
            for step in self.wanted["check_applied"] + self.wanted["activate"]:
                self.still_ours(number)
                problem = problem or self.first_failure([step])
            self.still_ours(number)
        except (OSError, LookupError, GuardError, tarfile.TarError) as error:
            problem = str(error)
        if problem and number is not None:
            self.take_back(number, problem)
        if problem:
            self.fail(problem)
        return number

    def take_back(self, number, problem):
        """Revert change `number` at once and end; also what was written after its timer had come."""
        try:
            if self.guard.revert(problem, number) is None:
                with self.guard.locked(insist=True):
                    if not self.guard.pending():
                        self.guard.restore(number, reopen=True)
        except (GuardError, OSError, tarfile.TarError) as error:
            self.fail(f"{problem}; {error}; the node tries again by itself until it is done")
        self.fail(f"reverted to generation {number} at once: {problem}", reverted=True)

    def run(self):
        """Compare, and change only what differs; the result for Ansible."""
        if self.wanted["restore"] is not None:
            return self.run_restore()
        todo = [entry for entry in self.wanted["files"] if differs(entry)]
        drifted = None if todo else self.first_failure(self.wanted["in_force"])
        result = {"changed": bool(todo or drifted), "diff": [difference(e) for e in todo], "generation": None}
        if drifted:
            result["diff"] = [{"prepared": f"the running state had drifted: {drifted}\n"}]
        if not result["changed"]:
            return result
        self.validate()
        if not self.module.check_mode:
            result["generation"] = self.apply(todo)
        return result

    def run_restore(self):
        """Bring an earlier generation back; guarded like any other change."""
        try:
            todo = self.guard.differences(self.wanted["restore"])
            steps = self.guard.account_steps(self.wanted["restore"], reopen=False)
        except GuardError as error:
            self.fail(str(error))
        diff = [restored_difference(path, member, content) for path, member, content in todo]
        diff += [{"prepared": f"{what}\n"} for what, _ in steps]
        result = {"changed": bool(diff), "diff": diff, "generation": None}
        if diff and not self.module.check_mode:
            # Packages are no part of a generation: one may be gone that its PAM files need.
            self.refuse_missing_pam(
                [restored_file(path, content) for path, member, content in todo if member]
            )
            result["generation"] = self.apply([])
        return result


def restored_file(path, content):
    """A path that a restore brings back, as a wanted file."""
    return {"path": path, "state": "present", "content": content.decode(errors="replace")}


def restored_difference(path, member, content):
    """One entry of Ansible's diff for a path that a restore brings back or removes."""
    after = "" if member is None else content.decode(errors="replace")
    if member is not None and member.issym():
        after = f"-> {member.linkname}\n"
    before = "" if os.path.isdir(path) else read(path) or ""
    return {"before_header": path, "after_header": path, "before": before, "after": after}


def main():
    """Entry point."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    change = Change(module)
    if module.params["phase"] == "arm":
        module.exit_json(changed=False, generation=change.arm([]))
    if module.params["phase"] == "revert":
        try:
            paths = change.guard.revert("the new connection failed", module.params["generation"])
        except (GuardError, OSError, tarfile.TarError) as error:
            change.fail(str(error))
        module.exit_json(changed=paths is not None, reverted=paths)
    module.exit_json(**change.run())


if __name__ == "__main__":
    main()
