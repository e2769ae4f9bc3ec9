"""`ansible-playbook`, started lighter: `python -m playbooks ARGUMENTS` takes the same and does the same.

A quarter of what a start costs is left out (docs/decisions/0007-speed.md): paramiko, which Ansible imports
where it is installed and nothing here connects by, and the copy of each file's content, made so that a second
reader finds it as it was: here a second reader has the file parsed again.
"""

from __future__ import annotations

import sys
from typing import Any

sys.modules["paramiko"] = None  # type: ignore[assignment]  # as if it were not installed

from ansible.cli.playbook import main  # noqa: E402
from ansible.parsing.dataloader import DataLoader  # noqa: E402


def uncopied() -> None:
    """Let whoever reads a file first have what was parsed, and nobody share it."""
    plain, read = DataLoader.load_from_file, set[tuple[int, str]]()

    def load_from_file(
        self: DataLoader, file_name: str, cache: str = "all", unsafe: bool = False, **more: Any
    ) -> Any:
        place = (id(self), self.path_dwim(file_name))
        # Who asks for no cache shares nothing either.
        if unsafe or (place in read and cache != "none"):
            return plain(self, file_name, cache=cache, unsafe=unsafe, **more)
        read.add(place)
        return plain(self, file_name, cache="none", unsafe=True, **more)

    DataLoader.load_from_file = load_from_file


if __name__ == "__main__":
    uncopied()
    sys.argv[0] = "ansible-playbook"
    main()
