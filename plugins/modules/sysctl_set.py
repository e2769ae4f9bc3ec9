"""Ansible module: states kernel parameters in one file and makes the node's own ones effective."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sysctl_set
short_description: States kernel parameters in one file and makes them effective
description:
  - Writes the file for the next boot, compares every value with /proc/sys and writes only what differs, so a
    value that drifted while the file stayed the same is restored too.
  - An asterisk is every network interface there is now; at boot systemd-sysctl and udev apply it to others.
    In the file C(all) and C(default) also stand by name, because auditors' tools read names.
options:
  path: {type: path, required: true, description: The file under /etc/sysctl.d.}
  header: {type: str, default: "", description: Comment at the top of the file.}
  settings: {type: dict, required: true, description: "Parameter to value, e.g. net.ipv4.tcp_syncookies: 1."}
  staged:
    description: >-
      Prefixes of parameters that belong to a kernel that is not the node's own (in a container). They are
      written to the file and not applied; systemd-sysctl passes over a file system that it may not write.
    type: list
    elements: str
    default: []
author: Stockade
"""

EXAMPLES = r"""
- name: Harden the kernel's parameters
  sysctl_set:
    path: /etc/sysctl.d/99-zz-stockade.conf
    settings: {net.ipv4.conf.*.accept_redirects: 0, kernel.kptr_restrict: 2}
    staged: [kernel.]
"""

RETURN = r"""
applied:
  description: Parameter to [old, new] for every value that was different.
  type: dict
missing:
  description: Parameters this kernel does not have.
  type: list
  elements: str
"""

import glob
import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

PROC = "/proc/sys"


def entries(key: str, root: str = PROC) -> list[str]:
    """Paths behind a parameter. Dots separate levels; an asterisk is one whole level (an interface name)."""
    return sorted(glob.glob(os.path.join(root, *key.split("."))))


def normal(value: Any) -> str:
    """A value as the kernel prints it: fields separated by one space."""
    return " ".join(str(value).split())


def lines(key: str, value: Any) -> list[str]:
    """A parameter as lines of the file: one for all interfaces also names the two that are always there."""
    if ".*." not in key:
        return [f"{key} = {normal(value)}"]
    return [f"{key.replace('.*.', f'.{name}.')} = {normal(value)}" for name in ("all", "default", "*")]


def render(header: str, settings: dict[str, Any]) -> str:
    """Text of the file. A value of None leaves the parameter alone."""
    stated = [line for key, value in settings.items() if value is not None for line in lines(key, value)]
    return "\n".join([*(f"# {line}" for line in header.splitlines()), *stated]) + "\n"


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as stream:
        return stream.read()


def _apply(module: AnsibleModule, staged: tuple[str, ...]) -> tuple[dict[str, list[str]], list[str]]:
    applied: dict[str, list[str]] = {}
    missing: list[str] = []
    for key, value in module.params["settings"].items():
        if value is None or (staged and key.startswith(staged)):
            continue
        paths = entries(key)
        if not paths:
            missing.append(key)
        for path in paths:
            before, after = normal(_read(path)), normal(value)
            if before == after:
                continue
            applied[path[len(PROC) + 1 :].replace("/", ".")] = [before, after]
            if module.check_mode:
                continue
            try:
                with open(path, "w", encoding="utf-8") as stream:
                    stream.write(after)
            except OSError as error:
                module.fail_json(
                    msg=f"{key} = {after}: the kernel refused it ({error.strerror}); a parameter must be the "
                    "node's own and its value valid; list its prefix under `staged` for a host's kernel"
                )
    return applied, missing


def main() -> None:
    """Compare and write the file, then the running values."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "header": {"type": "str", "default": ""},
            "settings": {"type": "dict", "required": True},
            "staged": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    staged = tuple(module.params["staged"])
    path, after = module.params["path"], render(module.params["header"], module.params["settings"])
    before = _read(path) if os.path.isfile(path) else ""
    if before != after and not module.check_mode:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        temporary = os.path.join(module.tmpdir, "sysctl_set")
        with open(temporary, "w", encoding="utf-8") as stream:
            stream.write(after)
        module.atomic_move(temporary, path)
    # Same mode whether the file is new or was tampered with.
    if os.path.isfile(path):
        arguments = {"path": path, "owner": "root", "group": "root", "mode": "0644"}
        tampered = module.set_fs_attributes_if_different(module.load_file_common_arguments(arguments), False)
    else:
        tampered = False
    applied, missing = _apply(module, staged)
    diff = {"before_header": path, "after_header": path, "before": before, "after": after}
    if applied:
        diff["before"] += "".join(f"running {key} = {old}\n" for key, (old, _) in applied.items())
        diff["after"] += "".join(f"running {key} = {new}\n" for key, (_, new) in applied.items())
    changed = bool(before != after or tampered or applied)
    module.exit_json(changed=changed, applied=applied, missing=missing, diff=diff)


if __name__ == "__main__":
    main()
