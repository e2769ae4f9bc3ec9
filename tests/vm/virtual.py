"""The one virtual node that these tests share, hardened and verified as users do it, with patience."""

from __future__ import annotations

import hashlib
import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from report.model import Report
from tests.suite_run import judged, play, red
from twin.machines import Lone
from twin.machines.virtual import VirtualNode

PATIENCE = 2400.0
"""Seconds for one playbook: each instruction of the node is emulated, beside what else this machine does."""
PASSWORD = "the-menu-of-the-tests"


def boot_hash(password: str = PASSWORD, rounds: int = 10000) -> str:
    """What grub-mkpasswd-pbkdf2 prints."""
    salt = hashlib.sha256(b"salt of the tests").digest()
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds)
    return f"grub.pbkdf2.sha512.{rounds}.{salt.hex().upper()}.{digest.hex().upper()}"


class Patient(Lone):
    """A lone node whose commands may take as much longer as an emulated processor does."""

    def ssh(self, command: str, timeout: float = 30) -> subprocess.CompletedProcess[str]:
        """As every lone node's, with patience."""
        return super().ssh(command, timeout * 20)


@dataclass
class Virtual:
    """The node, a home for what runs leave, and its console."""

    lone: Patient
    home: Path

    @property
    def machine(self) -> VirtualNode:
        """The node as a machine: its console and its keyboard."""
        node = self.lone.machines.nodes[self.lone.name]
        assert isinstance(node, VirtualNode)
        return node

    def play(self, playbook: str, *arguments: str) -> tuple[int, str]:
        """Run a playbook with the boot password stated; its code and what it said."""
        stated = {
            "boot_password_hash": boot_hash(),
            "access_guard_proof_timeout": 240,
            "access_guard_revert_after": 1200,
        }
        done = play(
            self.lone.inventory_file, playbook, "-e", json.dumps(stated), *arguments, timeout=PATIENCE
        )
        return done.code, done.output

    def attempt(self, command: str) -> subprocess.CompletedProcess[str]:
        """A command of root, whatever comes of it."""
        return self.lone.sudo(command)

    def root(self, command: str) -> str:
        """What a command of root printed; one that fails is a fault of the test."""
        done = self.attempt(command)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def report(self, *arguments: str) -> Report:
        """The suite over the node."""
        contract, patience = self.lone.machines.region, ("--node-seconds", str(PATIENCE), "--patience", "20")
        return judged(self.lone.inventory_file, self.home, contract, *patience, *arguments, timeout=PATIENCE)

    def red(self, *arguments: str) -> dict[str, str]:
        """Why what is red is so, by control."""
        return {control: why for (_, control), why in red(self.report(*arguments)).items()}

    def shown(self, since: int) -> str:
        """What the console showed from a place in it on."""
        return (self.machine.directory / "console").read_bytes()[since:].decode(errors="replace")

    def press(self, keys: str) -> None:
        """Type on the console."""
        self.machine.press(keys)

    def end(self) -> int:
        """Where the console ends now."""
        return (self.machine.directory / "console").stat().st_size

    def await_words(self, words: str, since: int, seconds: float = 300) -> str:
        """Wait until the console has shown words; everything since then."""
        deadline = time.monotonic() + seconds
        while words not in (said := self.shown(since)):
            assert time.monotonic() < deadline, f"no '{words}' in: {said[-2000:]}"
            time.sleep(0.2)
        return said

    def reboot(self, *hands) -> None:
        """Reboot; each of `hands` is called with where the console ended, while the node is on its way."""
        since = self.end()
        with ThreadPoolExecutor() as pool:
            played = [pool.submit(hand, self, since) for hand in hands]
            self.lone.reboot()
            for one in played:
                one.result()
