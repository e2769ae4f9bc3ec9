"""What a node does on its first boot (cloud-init), before Ansible knows it. Holds no secret: user data is
readable by everything that runs on the node and by everybody who may describe the instance.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

import yaml

LOGIN = "admin"


def user_data(role: str, keys: Sequence[str]) -> str:
    """cloud-config in base64: the one login, with these public keys, without a password or ssh passwords.

    Takes effect on the first boot of a node only: a key that changes later is a task for the playbooks.
    """
    config = {
        "users": [
            {
                "name": LOGIN,
                "gecos": f"administration of {role} nodes",
                "groups": ["adm", "sudo"],
                "shell": "/bin/bash",
                "sudo": "ALL=(ALL) NOPASSWD:ALL",
                "lock_passwd": True,
                "ssh_authorized_keys": list(keys),
            }
        ],
        "disable_root": True,
        "ssh_pwauth": False,
        # The hardening playbook owns packages; an upgrade at boot would run without its window and its
        # record.
        "package_update": False,
        "package_upgrade": False,
    }
    text = "#cloud-config\n" + yaml.safe_dump(config, sort_keys=False, width=100_000)  # a key is one line
    return base64.b64encode(text.encode()).decode()
