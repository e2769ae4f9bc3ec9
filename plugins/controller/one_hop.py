"""Root's interpreter on a node is started by the login itself, not by an interpreter of the login's account.

mitogen logs in, starts Python there, hands it its own sources, and lets that one start root's Python by sudo
and hand it the same sources again. Who becomes root without a password needs only the second one: half of
what a connection costs the node, and one exchange less. Whoever needs a password, another way or another
account takes mitogen's own way (docs/decisions/0007-speed.md).
"""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleConnectionFailure

try:
    from ansible_mitogen.connection import Connection
except ImportError:  # works over plain ssh as well, only slower
    Connection = None

ASKED = "_mitogen.smuggled.reset_connection"
"""What mitogen is told of a task `meta: reset_connection`, once per reset (ansible_mitogen/strategy.py)."""
FLAGS = frozenset(("-H", "-S", "-n"))
"""What Ansible says to sudo by default; other flags are for mitogen to read."""


def joined(stack: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    """The stack of a login and sudo as a login that begins with sudo; None: only mitogen's way does it."""
    if [hop["method"] for hop in stack] != ["ssh", "sudo"]:
        return None
    login, become = (hop["kwargs"] for hop in stack)
    python = become["python_path"]
    if become["password"] or not FLAGS.issuperset(become["sudo_args"] or ()) or not isinstance(python, list):
        return None
    sudo = [become["sudo_path"] or "sudo", "-n", "-H", "-u", become["username"] or "root", "--"]
    return [{**stack[0], "kwargs": {**login, "python_path": [*sudo, *python]}}]


def as_root(stack: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The stack with Ansible's default way to root, where it names a login only: a play's own reset does."""
    if [hop["method"] for hop in stack] != ["ssh"]:
        return stack
    way = dict.fromkeys(("username", "password", "sudo_path", "sudo_args"))
    return [*stack, {"method": "sudo", "kwargs": {**way, "python_path": stack[0]["kwargs"]["python_path"]}}]


def connect_in_one() -> None:
    """For this process and those that fork from it; a second call changes nothing."""
    if Connection is None or getattr(Connection, "stockade_one_hop", False):
        return
    plain, plain_reset, plain_stack = Connection._connect_stack, Connection.reset, Connection._build_stack

    def connect(self: Any, stack: list[dict[str, Any]]) -> None:
        if (one := joined(stack)) is not None:
            try:
                plain(self, one)
            except AnsibleConnectionFailure as error:
                # mitogen's own way tells a refused sudo from a node that is out of reach.
                if "sudo" not in str(error):
                    raise
            else:
                self.login_context = self.context
                return
        plain(self, stack)

    def built(self: Any) -> tuple[str, list[dict[str, Any]]]:
        name, stack = plain_stack(self)
        one = joined(as_root(stack)) if getattr(self, "stockade_resets", False) else None
        if one is None:
            return name, stack
        # A reset names the login by leaving the last hop out; one that a play asks for becomes nobody.
        return name, [*one, stack[-1]] if self.become else one

    def reset(self: Any) -> None:
        """End both ways: which one a process that is gone has taken is not known here."""
        asked = self._play_context.vars.get(ASKED)
        plain_reset(self)
        if asked is not None:
            self._play_context.vars[ASKED] = asked
        self.stockade_resets = True
        try:
            plain_reset(self)
        finally:
            self.stockade_resets = False

    Connection._connect_stack, Connection._build_stack = connect, built
    Connection.reset = Connection._reset = reset
    Connection.stockade_one_hop = True
