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

import hashlib
import os
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

UNITS = "/etc/systemd"
READ = Path("/run/stockade/units-read")


def mark(folder: str) -> str:
    """Tells one state of all files and links below a folder from another, whatever the clock says."""
    seen = []
    for place, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = os.path.join(place, name)
            found = os.lstat(path)
            seen.append(f"{path} {found.st_ino} {found.st_ctime_ns} {found.st_size}")
    return hashlib.sha256("\n".join(sorted(seen)).encode()).hexdigest()


def read_before() -> str:
    """The mark at the last reading; empty after a boot, which reads everything."""
    try:
        return READ.read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""


def main() -> None:
    """Read again if need be, then restart."""
    module = AnsibleModule(argument_spec={"unit": {"type": "str"}}, supports_check_mode=True)
    now = mark(UNITS)
    read_again = now != read_before()
    if module.check_mode:
        module.exit_json(changed=True, read_again=read_again)
    if read_again:
        module.run_command(["systemctl", "daemon-reload"], check_rc=True)
        READ.parent.mkdir(mode=0o755, exist_ok=True)
        READ.write_text(now, encoding="ascii")
    if module.params["unit"]:
        module.run_command(["systemctl", "restart", module.params["unit"]], check_rc=True)
    module.exit_json(changed=True, read_again=read_again)


if __name__ == "__main__":
    main()
