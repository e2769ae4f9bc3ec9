"""Ansible module: units run and are started at boot, or do neither, as declared; one trip for all of them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: unit_set
short_description: Brings units to their declared state, now and at boot, in one trip
description:
  - Does what C(systemd_service) does for units of the system, for several at once and without what that
    one brings along to every node (0.3 s of a node's processor where it is first used).
  - In check mode a unit that is not there yet would come with its package, which is no failure.
options:
  units: {type: list, elements: str, required: true, description: Whole names, with their suffix.}
  enabled: {type: bool, description: Whether they are started at boot.}
  state:
    {type: str, choices: [started, stopped, restarted], description: What they do now.}
  read_again:
    type: bool
    default: false
    description: Before that the service manager reads its units again, where they have changed.
author: Stockade
"""

EXAMPLES = r"""
- name: Run the time service
  unit_set:
    units: [chrony.service]
    enabled: true
    state: started
"""

RETURN = r"""
steps: {description: "What was (or, in check mode, would be) done: verb and unit.", type: list, elements: str}
"""

import re

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.stockade_units import read_again

WHOLE = re.compile(
    r"[A-Za-z0-9:_.\\@-]+\.(service|socket|timer|path|target|mount|automount|slice|swap|scope)"
)
SHOWN = ("LoadState", "LoadError", "ActiveState")
AT_BOOT = {"enabled", "static", "generated", "transient"}
"""What needs no enabling: the last three are started by others, or by what made them."""
NOT_AT_BOOT = {"disabled", "static", "generated", "transient", "masked", "masked-runtime", "indirect"}
ON = {"active", "activating", "reloading"}
OFF = {"inactive", "failed"}
VERBS = ("enable", "disable", "start", "restart", "stop")


def look(module: AnsibleModule, names: list[str]) -> dict[str, dict[str, str]]:
    """What the service manager says about each of them; the state at boot as `AtBoot`."""
    command = ["systemctl", "show", f"--property={','.join(SHOWN)}", "--", *names]
    _, said, _ = module.run_command(command, check_rc=True)
    blocks = [dict(line.partition("=")[::2] for line in b.splitlines()) for b in said.strip().split("\n\n")]
    if len(blocks) != len(names):
        module.fail_json(msg=f"`{' '.join(command)}` answers for {len(blocks)} of {len(names)} units: {said}")
    found = {name: blocks[place] for place, name in enumerate(names)}
    there = [name for name in names if found[name]["LoadState"] != "not-found"]
    if there:
        # Not from the answer above: what the manager has read of it stays when somebody takes a link away.
        _, said, more = module.run_command(["systemctl", "is-enabled", "--", *there])
        states = said.split()
        if len(states) != len(there):
            module.fail_json(msg=f"systemctl is-enabled {' '.join(there)} answers {states}: {more.strip()}")
        for place, name in enumerate(there):
            found[name]["AtBoot"] = states[place]
    return found


def problem(name: str, unit: dict[str, str]) -> str:
    """Why this unit cannot run or be enabled; empty if it can."""
    if unit["LoadState"] == "not-found":
        rule = "a unit comes with its package or with a file that an earlier task puts in place"
        return f"{name} is not on the node; {rule}; install it, or name one that is there"
    if unit["LoadState"] == "masked":
        rule = "what is masked never starts"
        return f"{name} is masked; {rule}; `systemctl unmask {name}`, or do not ask for it"
    if unit["LoadState"] != "loaded":
        said = unit.get("LoadError", "").partition(" ")[2].strip('"') or unit["LoadState"]
        return f"{name} cannot be read: {said}; a unit has to be understood to run; correct its file"
    return ""


def steps(name: str, unit: dict[str, str], wanted: dict[str, object]) -> list[tuple[str, str]]:
    """(verb, unit) that bring a unit to what is wanted."""
    found = []
    at_boot, active = unit.get("AtBoot", ""), unit["ActiveState"]
    if wanted["enabled"] is True and at_boot not in AT_BOOT:
        found.append(("enable", name))
    if wanted["enabled"] is False and at_boot and at_boot not in NOT_AT_BOOT:
        found.append(("disable", name))
    if wanted["state"] == "restarted" or (wanted["state"] == "started" and active not in ON):
        found.append(("restart" if wanted["state"] == "restarted" else "start", name))
    if wanted["state"] == "stopped" and active not in OFF:
        found.append(("stop", name))
    return found


def judge(module: AnsibleModule, found: dict[str, dict[str, str]]) -> None:
    """End with what keeps units from running; a blank node in check mode only lacks them."""
    blank = {"not-found"} if module.check_mode else set()
    said = [problem(name, unit) for name, unit in found.items() if unit["LoadState"] not in blank]
    if any(said):
        module.fail_json(msg=". ".join(filter(None, said)))


def do(module: AnsibleModule, todo: list[tuple[str, str]]) -> None:
    """One call per verb; the first that fails ends the run."""
    for verb in VERBS:
        if not (names := [name for v, name in todo if v == verb]):
            continue
        code, out, err = module.run_command(["systemctl", verb, "--", *names])
        if code != 0:
            said = " ".join((err or out).split())
            module.fail_json(
                msg=f"`systemctl {verb} {' '.join(names)}` fails ({code}): {said}; the node is not as "
                f"declared without it; `journalctl -u {names[0]}` on the node says why"
            )


def main() -> None:
    """Look, judge, do what is missing."""
    module = AnsibleModule(
        argument_spec={
            "units": {"type": "list", "elements": "str", "required": True},
            "enabled": {"type": "bool"},
            "state": {"type": "str", "choices": ["started", "stopped", "restarted"]},
            "read_again": {"type": "bool", "default": False},
        },
        required_one_of=[("enabled", "state")],
        supports_check_mode=True,
    )
    wanted, names = module.params, list(dict.fromkeys(module.params["units"]))
    for name in names:
        if not WHOLE.fullmatch(name):
            module.fail_json(
                msg=f"{name!r} is no unit's name; whole names are needed; write it as chrony.service"
            )
    if wanted["read_again"]:
        read_again(module)
    found = look(module, names) if names else {}
    if wanted["enabled"] or wanted["state"] in ("started", "restarted"):
        judge(module, found)
    todo = [step for name in names for step in steps(name, found[name], wanted)]
    if not module.check_mode:
        do(module, todo)
    said = [" ".join(step) for step in todo]
    module.exit_json(changed=bool(todo), steps=said, diff=[{"prepared": f"{step}\n"} for step in said])


if __name__ == "__main__":
    main()
