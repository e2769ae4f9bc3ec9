"""`ansible-playbook`, started lighter: `python -m playbooks ARGUMENTS` takes the same and does the same.

A third of what a start costs is left out (docs/decisions/0007-speed.md): paramiko, which Ansible imports
where it is installed and nothing here connects by; every other way to connect and to become somebody, which
Ansible loads before it knows which ones a play takes; what fetches collections, which mitogen imports to
find those that a module comes from; and the copy of each file's content, made so that a second reader finds
it as it was: here a second reader has the file parsed again.
"""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

# What is imported and parsed stays to the end; to look through it again and again is a tenth of a start.
gc.set_threshold(100_000, 50, 50)
sys.modules["paramiko"] = None  # type: ignore[assignment]  # as if it were not installed

from ansible.cli.playbook import main  # noqa: E402
from ansible.parsing.dataloader import DataLoader  # noqa: E402
from ansible.plugins.loader import PluginLoader, become_loader, connection_loader, shell_loader  # noqa: E402

TAKEN = ((connection_loader, ("ssh", "local")), (shell_loader, ("sh",)), (become_loader, ("sudo",)))
"""What plays here take. Another one that an inventory names is loaded when it is needed."""


def preloaded(loader: PluginLoader, names: tuple[str, ...]) -> None:
    """Let only these be loaded when all classes of this kind are asked for, so that they are known early."""
    plain = loader.all

    def chosen(*args: Any, **kwargs: Any) -> Iterator[Any]:
        if args or kwargs != {"class_only": True}:
            yield from plain(*args, **kwargs)
            return
        yield from (loader.get(name, class_only=True) for name in names)

    loader.all = chosen


class Late(ModuleType):
    """A module that is loaded when something of it is first asked for, not where it is imported."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules[self.__name__] is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


def late(name: str) -> None:
    """Let a module that nobody has imported yet be such a one."""
    above, _, last = name.rpartition(".")
    sys.modules[name] = module = Late(name)
    setattr(importlib.import_module(above), last, module)


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
    late("ansible.collections.list")
    for kind, taken in TAKEN:
        preloaded(kind, taken)
    sys.argv[0] = "ansible-playbook"
    main()
