"""Ansible module: what preflight has to know about a node, in one trip. Changes nothing."""

from __future__ import annotations

DOCUMENTATION = """
module: node_probe
short_description: Reads what preflight judges
description: [Waits for the package manager and for cloud-init, up to a limit, and reads the node's state.]
options:
  login: {type: str, required: true, description: The account of this connection.}
  wait: {type: int, default: 120, description: Seconds to wait for dpkg and cloud-init.}
author: [Stockade]
"""

import fcntl
import grp
import os
import shutil
import subprocess
import sys
import time

from ansible.module_utils.basic import AnsibleModule

DPKG_LOCK = "/var/lib/dpkg/lock-frontend"


def os_release(path="/etc/os-release"):
    """The distribution's own words about itself, lower-case keys."""
    found = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            key, mark, value = line.strip().partition("=")
            if mark:
                found[key.lower()] = value.strip('"')
    return found


def connection():
    """SSH_CONNECTION of this very session: sudo drops it, so it is read from the ancestors' environment."""
    process = os.getpid()
    for _ in range(32):
        try:
            with open(f"/proc/{process}/environ", "rb") as file:
                entries = file.read().split(b"\0")
            with open(f"/proc/{process}/status", encoding="utf-8") as file:
                parent = next(int(line.split()[1]) for line in file if line.startswith("PPid:"))
        except OSError:
            return []
        for entry in entries:
            if entry.startswith(b"SSH_CONNECTION="):
                return entry.decode().partition("=")[2].split()
        if parent <= 1:
            return []
        process = parent
    return []


def dpkg_free():
    """Whether nobody holds dpkg's lock."""
    if not os.path.exists(DPKG_LOCK):
        return True
    with open(DPKG_LOCK, "r+", encoding="utf-8") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True


def cloud_init_done():
    """Whether the image's first boot is over; images without cloud-init have none."""
    if not shutil.which("cloud-init"):
        return True
    said = subprocess.run(
        ["cloud-init", "status"], capture_output=True, text=True, timeout=30, check=False
    ).stdout
    return "running" not in said and "not started" not in said


def wait_for(condition, until):
    """Whether the condition came true before the time was over."""
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(1)
    return True


def groups_of(login):
    """Names of the groups an account is in."""
    return sorted(g.gr_name for g in grp.getgrall() if login in g.gr_mem)


def inodes(path):
    """Free inodes; a filesystem that makes them as needed has no number of them and no end."""
    have = os.statvfs(path)
    return have.f_ffree if have.f_files else sys.maxsize


def sshd_refuses():
    """What sshd says against its present files and keys; empty when it would start again."""
    done = subprocess.run(["/usr/sbin/sshd", "-t"], capture_output=True, text=True, timeout=30, check=False)
    return "" if done.returncode == 0 else (done.stderr.strip() or "it fails")[-200:]


def main():
    """Entry point."""
    module = AnsibleModule(
        argument_spec={"login": {"type": "str", "required": True}, "wait": {"type": "int", "default": 120}},
        supports_check_mode=True,
    )
    until = time.monotonic() + module.params["wait"]
    first_boot_over = wait_for(cloud_init_done, until)
    release = os_release()
    module.exit_json(
        changed=False,
        os={
            "id": release.get("id", ""),
            "version": release.get("version_id", ""),
            "name": release.get("pretty_name", ""),
        },
        python=list(sys.version_info[:2]),
        connection=connection(),
        groups=groups_of(module.params["login"]),
        free_inodes={p: inodes(p) for p in ("/", "/var") if os.path.isdir(p)},
        nologin=[p for p in ("/etc/nologin", "/run/nologin") if os.path.exists(p)],
        sshd_refuses=sshd_refuses(),
        free_mb={p: shutil.disk_usage(p).free // 2**20 for p in ("/", "/var", "/boot") if os.path.isdir(p)},
        dpkg_free=wait_for(dpkg_free, until),
        first_boot_over=first_boot_over,
        systemd=os.path.isdir("/run/systemd/system"),
        clock=time.time(),
    )


if __name__ == "__main__":
    main()
