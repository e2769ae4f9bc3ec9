"""What the service manager has read of its units, and what it says about them."""

from __future__ import annotations

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


def read_again(module: AnsibleModule) -> bool:
    """Let the service manager read its units again where they have changed; whether they had."""
    now = mark(UNITS)
    if now == read_before():
        return False
    if not module.check_mode:
        module.run_command(["systemctl", "daemon-reload"], check_rc=True)
        READ.parent.mkdir(mode=0o755, exist_ok=True)
        READ.write_text(now, encoding="ascii")
    return True
