"""What a node's first boot says: one login with the stated public keys and nothing else, and no secret."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable

import pytest
import yaml

from nodes.first_boot import user_data
from settings.facts import KEPT_FOR_FIRST_BOOT
from settings.ssh_keys import public_key
from tests.cloud import test_compute as cloud_suite
from tests.infra.monitor import Run, run_of, run_program, stack_file
from tests.infra.test_program import SECRET, STACKS
from verify.evidence import redact
from verify.subjects import Resource

TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
CONTROL: Callable[[Resource], None] = cloud_suite.test_user_data_holds_no_secret_and_opens_no_password_login


def texts(run: Run) -> dict[str, str]:
    """Per server role its template's user data, decoded."""
    found = run.of(TEMPLATE)
    return {
        role: base64.b64decode(template["inputs"]["userData"]).decode() for role, template in found.items()
    }


def judge(text: str) -> None:
    """What the region suite says to a template with this user data."""
    CONTROL(Resource("t", "launch_template", {"UserData": base64.b64encode(text.encode()).decode()}))


def keys_of(stack: str) -> list[str]:
    return [one["key"] for one in stack_file(stack)["stockade:administrators"].values()]


@pytest.mark.parametrize("stack", STACKS)
def test_each_template_lets_exactly_the_stated_keys_in_as_admin_and_says_nothing_else(stack: str) -> None:
    found = texts(run_of(stack))
    assert set(found) == set(stack_file(stack)["stockade:server_roles"])
    for role, text in found.items():
        assert text.startswith("#cloud-config\n")
        assert yaml.safe_load(text) == {
            "users": [
                {
                    "name": "admin",
                    "gecos": f"administration of {role} nodes",
                    "groups": ["adm", "sudo"],
                    "shell": "/bin/bash",
                    "sudo": "ALL=(ALL) NOPASSWD:ALL",
                    "lock_passwd": True,
                    "ssh_authorized_keys": keys_of(stack),
                }
            ],
            "disable_root": True,
            "ssh_pwauth": False,
            "package_update": False,
            "package_upgrade": False,
        }


def test_a_second_key_reaches_every_template_in_one_line() -> None:
    second = public_key(security_key(b"ssh:"))
    config = stack_file("in-mumbai")
    config["stockade:administrators"] = {
        **config["stockade:administrators"],
        "sc-automation": {"key": second},
    }
    for text in texts(run_program("in-mumbai", config)).values():
        (user,) = yaml.safe_load(text)["users"]
        assert user["ssh_authorized_keys"] == [*keys_of("in-mumbai"), second]
        assert all(sum(key in line for line in text.splitlines()) == 1 for key in user["ssh_authorized_keys"])


def test_what_stands_beside_the_keys_is_as_short_as_the_settings_assume() -> None:
    assert len(base64.b64decode(user_data("r" * 16, []))) < KEPT_FOR_FIRST_BOOT


@pytest.mark.parametrize("stack", STACKS)
def test_first_boot_holds_no_secret_and_the_region_suite_agrees(stack: str) -> None:
    for text in texts(run_of(stack)).values():
        for key in keys_of(stack):
            text = text.replace(key, "")  # noqa: PLW2901 - what remains is what is judged
        assert not SECRET.search(text)
    for text in texts(run_of(stack)).values():
        judge(text)


def security_key(application: bytes) -> str:
    """A public key of a security key; its last field is free, so its base64 can end as wanted."""
    fields = (b"sk-ssh-ed25519@openssh.com", bytes(range(32)), application)
    blob = b"".join(struct.pack(">I", len(part)) + part for part in fields)
    return f"sk-ssh-ed25519@openssh.com {base64.b64encode(blob).decode()} noc-automation"


def test_the_region_suite_does_not_take_a_public_key_for_a_secret() -> None:
    """A key may end in `psk=`, and redaction then sees a pre-shared key: the comment behind it."""
    key = public_key(
        next(k for pad in range(3) if "psk= " in (k := security_key(b"ssh:" + b"x" * pad + b"\xa6\xc9")))
    )
    assert redact(key) != key
    judge(base64.b64decode(user_data("app", [key])).decode())


SECRETS = [
    "write_files: [{path: /root/.ssh/id, content: '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz'}]",
    "chpasswd: {users: [{name: admin, password: hunter22}]}",
    "runcmd: ['export AWS_ACCESS_KEY_ID=AKIAABCDEFGHIJKLMNOP']",
    "runcmd: ['aws configure set aws_secret_access_key=wJalrXUtnFEMI']",
    "bootcmd: ['usermod -p $6$salt$4AeqhgJ0Y8Qw admin']",
    "# psk: not a public key at all",
    # A secret in a public key's clothes: the type is right, what follows is no key.
    "# ssh-ed25519 password=AAAAC3NzaC1lZDI1NTE5",
    "ssh_pwauth: true",
    "ssh_pwauth: yes",
    '{"ssh_pwauth": "on"}',
]


@pytest.mark.parametrize("secret", SECRETS)
def test_the_region_suite_turns_red_on_a_real_secret_beside_the_keys(secret: str) -> None:
    text = base64.b64decode(user_data("app", keys_of("in-mumbai"))).decode()
    if "ssh_pwauth" in secret:
        text = text.replace("ssh_pwauth: false\n", "")
    with pytest.raises(AssertionError, match="user data"):
        judge(f"{text}{secret}\n")
