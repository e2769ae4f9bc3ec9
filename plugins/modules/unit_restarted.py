"""Ansible module: restarts a unit, after the service manager has read units again where they changed."""

from __future__ import annotations

DOCUMENTATION = r"""
module: unit_restarted
short_description: Restarts a unit; the service manager reads units again only where they have changed
description:
  - Reading all units again costs a node more than most restarts do, and the handlers of a run would do it
    one after the other although nothing was written in between.
  - What the manager has read is told by a mark of all files below C(/etc/systemd), kept in C(/run). Files
    that packages bring are read again by their own scripts.
options:
  unit: {type: str, description: What is restarted; nothing without it.}
author: Stockade
"""

EXAMPLES = r"""
- name: Restart the time service
  unit_restarted:
    unit: chrony.service
"""

RETURN = r"""
read_again: {description: Whether the service manager read units again., type: bool}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.stockade_units import read_again


def main() -> None:
    """Read again if need be, then restart."""
    module = AnsibleModule(argument_spec={"unit": {"type": "str"}}, supports_check_mode=True)
    again = read_again(module)
    if module.params["unit"] and not module.check_mode:
        module.run_command(["systemctl", "restart", module.params["unit"]], check_rc=True)
    module.exit_json(changed=True, read_again=again)


if __name__ == "__main__":
    main()
