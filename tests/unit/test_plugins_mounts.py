"""The table of filesystems keeps what it says and gets the options that are asked for."""

from __future__ import annotations

import pytest

from plugins.filter.mounts import fstab_with

WANTED = {"/home": "nodev,nosuid,noexec", "/srv": "nodev,nosuid"}


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("LABEL=home /home ext4 defaults 0 2", "LABEL=home /home ext4 defaults,nodev,nosuid,noexec 0 2"),
        ("UUID=1\t/srv\txfs\tnoatime,suid\t0\t2", "UUID=1\t/srv\txfs\tnoatime,nodev,nosuid\t0\t2"),
        ("UUID=1 /home ext4 nosuid,exec,noatime", "UUID=1 /home ext4 nosuid,noatime,nodev,noexec"),
        ("UUID=1 /home ext4 noexec,nodev,nosuid # ours", "UUID=1 /home ext4 noexec,nodev,nosuid # ours"),
        ("/srv/homes /home none bind 0 0", "/srv/homes /home none bind 0 0"),
        ("#LABEL=home /home ext4 defaults 0 2", "#LABEL=home /home ext4 defaults 0 2"),
        ("LABEL=root / ext4 defaults 0 1", "LABEL=root / ext4 defaults 0 1"),
        ("/home", "/home"),
        ("", ""),
    ],
)
def test_a_line_gets_its_options_and_others_stay(line: str, after: str) -> None:
    text = f"# table\n{line}\nLABEL=swap none swap sw 0 0"
    changed = fstab_with(text, WANTED)
    assert changed == f"# table\n{after}\nLABEL=swap none swap sw 0 0"
    assert fstab_with(changed, WANTED) == changed
