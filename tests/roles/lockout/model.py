"""A way to lock the controller out, as data, and the forms that most of them have."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SSH = "/etc/ssh/sshd_config.d/00-stockade.conf"
SUDO = "/etc/sudoers.d/50-stockade"
EXTRA_SUDO = "/etc/sudoers.d/60-lockout"
ACCOUNT, SESSION = "/etc/pam.d/common-account", "/etc/pam.d/common-session"
RULES = "/etc/stockade/firewall.nft"
KEYS = "/home/admin/.ssh/authorized_keys"
RELOAD = "systemctl reload-or-restart ssh.service"
NO_LOGIN = "a new login with sudo failed"
REFUSED = "refused before anything was changed"
SKEWED = "import time; time.time = (lambda real: lambda: real() + ({seconds}))(time.time)"
SITE = "/usr/lib/python3/dist-packages/sitecustomize.py"


@dataclass(frozen=True)
class Case:
    """One way to lock us out. `ends`: reverted, refused (nothing was changed) or proven (it held)."""

    name: str
    concern: str
    how: str
    ends: str
    says: str = ""
    within: float = 4.0
    """Seconds after Ansible's own end within which a new login has to become root."""
    edits: dict[str, tuple[str, str]] = field(default_factory=dict)
    modes: dict[str, str] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    activate: tuple[str, ...] = ()
    validate: tuple[str, ...] = ()
    check: tuple[str, ...] = ()
    revert_after: int = 60
    role: str = ""
    variables: dict[str, Any] = field(default_factory=dict)
    preflight: dict[str, Any] = field(default_factory=dict)
    before: str = ""
    after: str = ""


def ssh(name: str, how: str, old: str, new: str, says: str = NO_LOGIN, **more: Any) -> Case:
    """A setting that sshd itself takes and nobody gets in by."""
    return Case(
        name,
        "ssh",
        how,
        "reverted",
        says,
        edits={SSH: (old, new)},
        activate=(RELOAD,),
        check=("sshd -t",),
        **more,
    )


def sudo(name: str, how: str, text: str, says: str = NO_LOGIN, **more: Any) -> Case:
    """A sudo rule that parses and nobody becomes root by."""
    return Case(name, "sudo", how, "reverted", says, edits={EXTRA_SUDO: ("", f"{text}\n")}, **more)


def user(name: str, how: str, *commands: str, **more: Any) -> Case:
    """Something about the account changes in the middle of a change."""
    return Case(
        name, "users", how, "reverted", NO_LOGIN, edits={"/etc/motd": ("", "x\n")}, activate=commands, **more
    )


def harmless(name: str, concern: str, how: str, *commands: str, ends: str = "proven", **more: Any) -> Case:
    """Something happens to the node around a change that is good: it has to hold, or to change nothing."""
    return Case(name, concern, how, ends, edits={"/etc/motd": ("", f"{name}\n")}, activate=commands, **more)
