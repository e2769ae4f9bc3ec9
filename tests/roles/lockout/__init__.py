"""Everything that is tried to lock the controller out; docs/lockout-cases.md is made from it.

A case changes files of the node (`edits`: path to (old text, new text); an empty old text appends), then
runs `activate`, all of it through the guarded sequence as the roles use it; or it runs a `role` with
`variables`, or preflight. `before` and `after` are what somebody else does to the node.
"""

from __future__ import annotations

from tests.roles.lockout.before import PREFLIGHT
from tests.roles.lockout.logins import PAM, SUDO_RULES, USERS
from tests.roles.lockout.machine import FILTER, GUARD
from tests.roles.lockout.model import Case
from tests.roles.lockout.sshd import SSHD

__all__ = ["CASES", "FILTER", "GUARD", "PAM", "PREFLIGHT", "SSHD", "SUDO_RULES", "USERS", "Case"]

CASES: tuple[Case, ...] = (*SSHD, *PAM, *SUDO_RULES, *USERS, *GUARD, *FILTER, *PREFLIGHT)
