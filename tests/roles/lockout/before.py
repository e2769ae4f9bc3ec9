"""What preflight sees, so that a run ends before anything is changed."""

from __future__ import annotations

from typing import Any

from tests.roles.lockout.model import Case

FIT = {"login": "admin", "login_group": "ssh-users", "allow_groups": ["ssh-users"], "wait": 1,
       "automation": [{"name": "admin", "owner": "x", "why": "x", "expires": "2099-01-01"}],
       "admin_networks": ["172.30.10.0/24", "fd00:30:10::/64"]}  # fmt: skip


def preflight(name: str, how: str, says: str, before: str = "", after: str = "", **wanted: Any) -> Case:
    """Something that preflight sees, so that the run ends before anything is changed."""
    return Case(
        name, "preflight", how, "refused", says, preflight={**FIT, **wanted}, before=before, after=after
    )


LOCK = (
    "python3 -c \"import fcntl,time; f=open('/var/lib/dpkg/lock-frontend','w'); "
    'fcntl.lockf(f,fcntl.LOCK_EX); time.sleep({seconds})"'
)
PREFLIGHT = (
    preflight(
        "unsupported-system",
        "a system that nobody has tried",
        "Fedora 41; Debian 12 and 13 are supported",
        before="printf 'ID=fedora\\nVERSION_ID=41\\nPRETTY_NAME=\"Fedora 41\"\\n' > /run/other; "
        "mount --bind /run/other /etc/os-release",
        after="umount /etc/os-release",
    ),
    preflight(
        "dpkg-locked",
        "another process holds dpkg's lock",
        "dpkg is locked",
        before=f"systemd-run -q --collect -u locker {LOCK.format(seconds=60)}; sleep 0.5",
        after="systemctl stop locker",
    ),
    Case(
        "dpkg-locked-for-a-while",
        "preflight",
        "another process holds dpkg's lock and lets go",
        "proven",
        preflight={**FIT, "wait": 30},
        before=f"systemd-run -q --collect -u locker {LOCK.format(seconds=3)}; sleep 0.5",
    ),
    preflight(
        "first-boot",
        "cloud-init is still at work",
        "cloud-init is still running",
        before="printf '#!/bin/sh\\necho status: running' | install -m 755 /dev/stdin /usr/bin/cloud-init",
        after="rm /usr/bin/cloud-init",
    ),
    preflight(
        "preflight-clock",
        "the node's clock is further off than allowed (allowed: less than nothing)",
        "s off; signatures and logs need one time",
        max_skew_seconds=-1,
    ),
    preflight("preflight-disk", "less room than packages need", "MB free on /", min_free_mb=10**9),
    preflight(
        "preflight-inodes", "fewer inodes than packages need", "inodes free on /", min_free_inodes=10**12
    ),
    preflight(
        "not-in-the-group",
        "nobody lists the account of this connection",
        "would be in none of the groups",
        automation=[],
        allow_groups=["others"],
    ),
    preflight(
        "address-not-listed",
        "ssh will be open to other networks than ours",
        "this connection comes from",
        admin_networks=["192.0.2.0/24"],
    ),
    preflight(
        "no-networks",
        "ssh would be open to nobody",
        "local_firewall_admin_networks is empty",
        admin_networks=[],
    ),
    preflight(
        "entry-expired",
        "our right to become root without a password has ended",
        "expired on 2020-01-01",
        automation=[{"name": "admin", "owner": "x", "why": "x", "expires": "2020-01-01"}],
    ),
    preflight(
        "preflight-nologin",
        "/etc/nologin is there: our connection is the last one",
        "/etc/nologin",
        before="touch /etc/nologin",
        after="rm /etc/nologin",
    ),
    preflight(
        "preflight-host-keys",
        "sshd would not start again: its host keys are gone",
        "sshd",
        before="mkdir -p /root/aside; mv /etc/ssh/ssh_host_* /root/aside",
        after="mv /root/aside/* /etc/ssh",
    ),
    preflight(
        "preflight-account-expired",
        "our account has expired since we came in",
        "a new login with sudo failed",
        before="chage -E 1 admin",
        after="chage -E -1 admin",
    ),
    preflight(
        "preflight-sudo",
        "sudo has stopped working since we became root",
        "a new login with sudo failed",
        before="cd /etc/sudoers.d; echo 'Defaults requiretty' > 60-lockout; chmod 440 60-lockout",
        after="rm /etc/sudoers.d/60-lockout",
    ),
)
