"""Filter of role mounts: the options of a mount point where the machine's table of filesystems names it."""

from __future__ import annotations

import re
from typing import Any

OPPOSITE = {"nodev": "dev", "nosuid": "suid", "noexec": "exec"}
# fstab(5): device, mount point, type, options; blanks between, a comment begins with #.
LINE = re.compile(r"(\s*[^#\s]\S*\s+(\S+)\s+(\S+)\s+)(\S+)(.*)")


def fstab_with(text: str, wanted: dict[str, str]) -> str:
    """The text of /etc/fstab with these options (comma-separated, by mount point); all else stays as it is.

    What a line says already keeps its place, and its contrary goes. A directory mounted onto itself is left
    alone: its options are those of another mount.
    """
    return "\n".join(_line_with(line, wanted) for line in text.split("\n"))


def _line_with(line: str, wanted: dict[str, str]) -> str:
    found = LINE.fullmatch(line)
    options = found[4].split(",") if found else []
    if not found or found[2] not in wanted or {"bind", "rbind"} & set(options):
        return line
    asked = wanted[found[2]].split(",")
    kept = [option for option in options if option not in {OPPOSITE.get(one) for one in asked}]
    return f"{found[1]}{','.join(kept + [one for one in asked if one not in kept])}{found[5]}"


class FilterModule:
    """What Ansible asks for."""

    def filters(self) -> dict[str, Any]:
        """{name: function}."""
        return {"fstab_with": fstab_with}
