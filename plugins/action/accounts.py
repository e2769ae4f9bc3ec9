"""Action plugin: accounts, groups and keys change behind the same guard as files do.

An account locks people out as well as sshd's configuration does: by its groups, its shell, its dates. The
module of this name changes them; `guarded_change` snapshots, arms, proves and brings back around it.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.plugins.loader import action_loader


def refused(people: list[dict[str, Any]], automation: list[dict[str, Any]], today: date) -> list[str]:
    """What is wrong with the lists themselves, a line each; empty when nothing is.

    Preflight says the same of the dates; a role that is run without it must not renew what has ended.
    """
    problems = []
    for entry in automation:
        if date.fromisoformat(str(entry["expires"])) < today:
            problems.append(
                f"users_automation: {entry['name']} expired on {entry['expires']}; root without a password "
                f"is reviewed by a date; {entry['owner']} renews or removes the entry"
            )
    for name, times in Counter(person["name"] for person in people).items():
        if times > 1:
            problems.append(
                f"users_people: {name} is listed {times} times; an account is one person's; list it once"
            )
    owners: dict[str, list[str]] = {}
    for person in people:
        for key in person.get("keys") or []:
            owners.setdefault(" ".join(key.split()[:2]), []).append(person["name"])
    for names in owners.values():
        if len(set(names)) > 1:
            problems.append(
                f"users_people: {' and '.join(sorted({*names}))} share a key; nobody could tell them apart; "
                "each person makes a key of their own"
            )
    return problems


class ActionModule(ActionBase):
    """Takes the module's arguments; the limits are the role access_guard's variables."""

    TRANSFERS_FILES = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Look first: a list that holds already costs one trip and no generation."""
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        entries = arguments.pop("automation", None) or []
        if problems := refused(arguments.get("people") or [], entries, date.today()):
            return {
                "failed": True,
                "changed": False,
                "msg": "; nothing was changed. ".join([*problems, ""]).strip(),
            }
        arguments["automation"] = [entry["name"] for entry in entries]
        action = action_loader.get("guarded_change", class_only=True).beside(self)
        result: dict[str, Any] = action.around("accounts", arguments, task_vars or {})
        return result
