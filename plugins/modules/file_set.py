"""Ansible module: brings a set of files to their declared content, owner and mode in one trip to the node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: file_set
short_description: Brings a set of files to their declared content, owner and mode in one trip
description:
  - A role owns several small files. One task per file costs one or more round trips each; this takes one.
  - Every file is staged and validated before the first one is replaced, so a set is never half wrong.
options:
  files:
    description:
      - What is to be there. Without C(content) only owner, group and mode are set, if the path exists.
      - C(link) makes a symbolic link; C(directory) a directory.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {type: path, required: true, description: Absolute path on the node.}
      content: {type: str, description: Whole text of the file.}
      link: {type: str, description: Target of a symbolic link.}
      directory: {type: bool, default: false, description: The path is a directory.}
      owner: {type: str, default: root, description: Owning user.}
      group: {type: str, default: root, description: Owning group.}
      mode: {type: raw, default: "0644", description: Octal mode, quoted.}
      validate: {type: str, description: "Command that judges the staged file, %s is its path."}
  absent:
    description: Paths that must not exist (files and links only).
    type: list
    elements: path
    default: []
author: Stockade
"""

EXAMPLES = r"""
- name: Put the time service's files in place
  file_set:
    files:
      - path: /etc/chrony/chrony.conf
        content: "{{ lookup('ansible.builtin.template', 'chrony.conf.j2') }}"
        validate: chronyd -p -f %s
"""

RETURN = r"""
changed_paths:
  description: The paths that were (or, in check mode, would be) changed.
  type: list
  elements: str
"""

import os
import shlex
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule


def _current(path: str) -> str | None:
    """Text of a regular file, None if there is none; bytes that are no UTF-8 survive the comparison."""
    if os.path.islink(path) or not os.path.isfile(path):
        return None
    with open(path, encoding="utf-8", errors="surrogateescape") as stream:
        return stream.read()


def _stage(module: AnsibleModule, entry: dict[str, Any]) -> str:
    """Write the new text beside nothing that reads it, and let the declared command judge it.

    A judge may be confined to its own directories (AppArmor lets chronyd read /etc/chrony and no
    directory of root's), so what is judged lies beside its target, under a hidden name that no drop-in reads.
    """
    home, name = os.path.split(entry["path"])
    beside = bool(entry["validate"]) and os.path.isdir(home) and not module.check_mode
    handle, staged = tempfile.mkstemp(prefix=f".{name}.file_set-", dir=home if beside else module.tmpdir)
    module.add_cleanup_file(staged)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(entry["content"])
    # A blank node in check mode lacks the judge; on a real run its package has come before.
    if entry["validate"] and not (module.check_mode and _lacks(module, entry["validate"])):
        command = entry["validate"].replace("%s", staged)
        code, out, err = module.run_command(command)
        if code != 0:
            module.fail_json(
                msg=f"{entry['path']}: `{entry['validate']}` refused the new text: {(err or out).strip()}; "
                "nothing was changed; correct the template or the variable behind it"
            )
    return staged


def _lacks(module: AnsibleModule, command: str) -> bool:
    return module.get_bin_path(shlex.split(command)[0]) is None


def _make_parents(module: AnsibleModule, path: str) -> None:
    if not module.check_mode:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)


def _set_attributes(module: AnsibleModule, entry: dict[str, Any], changed: bool) -> bool:
    arguments = module.load_file_common_arguments(
        {"path": entry["path"], "owner": entry["owner"], "group": entry["group"], "mode": entry["mode"]}
    )
    return bool(module.set_fs_attributes_if_different(arguments, changed))


def _apply(module: AnsibleModule, entry: dict[str, Any], staged: str | None) -> bool:
    path = entry["path"]
    if entry["link"] is not None:
        if os.path.islink(path) and os.readlink(path) == entry["link"]:
            return False
        if not module.check_mode:
            _make_parents(module, path)
            temporary = f"{path}.file_set"
            os.symlink(entry["link"], temporary)
            os.replace(temporary, path)
        return True
    changed = False
    if entry["directory"] and not os.path.isdir(path):
        changed = True
        if not module.check_mode:
            os.makedirs(path)
    if staged is not None:
        changed = True
        if not module.check_mode:
            _make_parents(module, path)
            if os.path.islink(path):
                os.unlink(path)  # the set owns the path; it never writes through a link
            module.atomic_move(staged, path)
    if os.path.exists(path):
        changed = _set_attributes(module, entry, changed)
    return changed


def _remove(module: AnsibleModule, path: str) -> bool:
    if not os.path.lexists(path):
        return False
    if os.path.isdir(path) and not os.path.islink(path):
        module.fail_json(msg=f"{path} is a directory; file_set removes files and links only; name the file")
    if not module.check_mode:
        os.unlink(path)
    return True


def main() -> None:
    """Stage all, then apply all."""
    file_options = {
        "path": {"type": "path", "required": True},
        "content": {"type": "str"},
        "link": {"type": "str"},
        "directory": {"type": "bool", "default": False},
        "owner": {"type": "str", "default": "root"},
        "group": {"type": "str", "default": "root"},
        "mode": {"type": "raw", "default": "0644"},
        "validate": {"type": "str"},
    }
    module = AnsibleModule(
        argument_spec={
            "files": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": file_options,
                "mutually_exclusive": [("content", "link")],
            },
            "absent": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    staged: dict[str, str] = {}
    diffs: list[dict[str, str]] = []
    for entry in module.params["files"]:
        if entry["content"] is None:
            continue
        before = _current(entry["path"])
        if before != entry["content"]:
            staged[entry["path"]] = _stage(module, entry)
            diffs.append(
                {
                    "before_header": entry["path"],
                    "after_header": entry["path"],
                    "before": before or "",
                    "after": entry["content"],
                }
            )
    changed_paths = [e["path"] for e in module.params["files"] if _apply(module, e, staged.get(e["path"]))]
    changed_paths += [path for path in module.params["absent"] if _remove(module, path)]
    module.exit_json(changed=bool(changed_paths), changed_paths=changed_paths, diff=diffs)


if __name__ == "__main__":
    main()
