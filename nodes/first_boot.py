"""What a node does on its first boot (cloud-init), before Ansible knows it. Holds no secret: user data is
readable by everything that runs on the node and by everybody who may describe the instance.
"""

from __future__ import annotations

import base64

import yaml

LOGIN = "admin"


def user_data(role: str) -> str:
    """cloud-config in base64: the one login, without a password and without ssh passwords.

    No key is written here, since the settings name none: a first login needs one from Systems Manager
    or from an image that trusts a certificate authority.
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
            }
        ],
        "disable_root": True,
        "ssh_pwauth": False,
        # The hardening playbook owns packages; an upgrade at boot would run without its window and its
        # record.
        "package_update": False,
        "package_upgrade": False,
    }
    text = "#cloud-config\n" + yaml.safe_dump(config, sort_keys=False)
    return base64.b64encode(text.encode()).decode()
