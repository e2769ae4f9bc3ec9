"""What roles never do: two of them over one path, a task per file, a search of other machines' disks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.parent for path in ROOT.glob("roles/*/tasks"))
# As `path: /etc/x` or `'path': '/etc/x'`; what ends with a stroke is a part of a path only.
PATH = re.compile(r"""\bpath['"]?\s*[:=]\s*['"]?(/[\w./@-]*[\w@-])(?![\w./@-])""")
# What puts one file in place; `file_set` takes a whole list in one go.
ONE_BY_ONE = ("copy", "file", "template", "lineinfile", "blockinfile", "replace", "stat", "slurp", "fetch")
SEARCH = re.compile(r"\bfind\s+(?!-)(\S+)(.*)")


def texts(role: Path) -> Iterator[tuple[Path, str]]:
    """What of a role is YAML that runs: its tasks, handlers and variables."""
    for folder in ("tasks", "handlers", "vars", "defaults"):
        for file in sorted((role / folder).glob("*.yml")):
            yield file, file.read_text()


def owned(role: Path) -> set[str]:
    """The paths that a role states as files of its own."""
    return {path for _, text in texts(role) for path in PATH.findall(text)}


def tasks(role: Path) -> Iterator[dict[str, Any]]:
    """Every task of a role, also those inside of blocks."""
    waiting = [t for file, text in texts(role) if file.parent.name in ("tasks", "handlers")
               for t in yaml.safe_load(text) or []]  # fmt: skip
    while waiting:
        task = waiting.pop()
        yield task
        for part in ("block", "rescue", "always"):
            waiting += task.get(part, [])


def repeated(task: dict[str, Any]) -> bool:
    """Whether it puts files in place one at a time, each of them a trip to the node."""
    names = {key.removeprefix("ansible.builtin.") for key in task}
    loops = [key for key in task if key == "loop" or key.startswith("with_")]
    return bool(loops and names & set(ONE_BY_ONE))


def wandering(text: str) -> list[str]:
    """Searches of the whole tree that would go on into whatever is mounted there."""
    found = (match for line in text.splitlines() if (match := SEARCH.search(line)))
    return [match[0] for match in found if match[1] in ("/", '"$@"') and "-xdev" not in match[2]]


def test_a_path_has_one_owner() -> None:
    owners: dict[str, list[str]] = {}
    for role in ROLES:
        for path in owned(role):
            owners.setdefault(path, []).append(role.name)
    assert len(owners) > 60, "paths are stated in a way that nobody reads here"
    assert {path: roles for path, roles in owners.items() if len(roles) > 1} == {}


def test_files_are_put_in_place_by_the_set() -> None:
    seen = [(role.name, task) for role in ROLES for task in tasks(role)]
    assert len(seen) > 60
    assert [(role, task["name"]) for role, task in seen if repeated(task)] == []


def test_no_search_leaves_the_nodes_own_disks() -> None:
    files = [f for role in ROLES for f in role.rglob("*") if f.is_file() and f.suffix in ("", ".yml", ".j2")]
    files += sorted((ROOT / "tests/nodes").glob("*.py"))
    assert {str(file): wandering(file.read_text()) for file in files if wandering(file.read_text())} == {}


def test_these_looks_see_what_they_look_for() -> None:
    assert PATH.findall("- {path: /etc/a, mode: x}\n  'path': '/etc/b'\n path: \"/etc/c\"") == [
        *("/etc/a", "/etc/b", "/etc/c"),
    ]
    assert repeated({"ansible.builtin.template": {}, "loop": []}) and repeated({"file": {}, "with_items": []})
    assert not repeated({"file_set": {}, "loop": []}) and not repeated({"copy": {}})
    assert wandering("find / -type f -perm /6000") and not wandering("find / -xdev -type f")
    assert wandering("sh -c 'find \"$@\" -type f'") and not wandering("find /etc -name x")
