"""Everything that is tried in order to lock the controller out, as data; docs/lockout-cases.md is made from it.

A case changes files of the node (`edits`: path to (old text, new text), an empty old text appends; a path that
does not exist is made), then runs `activate`, all of it through the guarded sequence as the roles use it; or it
runs a `role` with `variables`. `before` and `after` are what happens to the node around it, by somebody else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SSH = "/etc/ssh/sshd_config.d/00-stockade.conf"
SUDO = "/etc/sudoers.d/50-stockade"
EXTRA_SUDO = "/etc/sudoers.d/60-lockout"
ACCOUNT, SESSION = "/etc/pam.d/common-account", "/etc/pam.d/common-session"
RULES = "/etc/stockade/firewall.nft"
KEYS = "/home/admin/.ssh/authorized_keys"
RELOAD = "systemctl reload-or-restart ssh.service"
NO_LOGIN = "a new login with sudo failed"
BACK = "the node is back at generation"
REFUSED = "refused before anything was changed"
SKEWED = "import time; time.time = (lambda real: lambda: real() + ({seconds}))(time.time)"
SITE = "/usr/lib/python3/dist-packages/sitecustomize.py"
FLUSH = (
    "import socket,struct;s=socket.socket(socket.AF_NETLINK,socket.SOCK_RAW,12);"
    "s.send(struct.pack('=IHHIIBBH',20,0x102,5,1,0,0,0,0));d=s.recv(99);"
    "assert struct.unpack('=i',d[16:20])[0]==0"
)


@dataclass(frozen=True)
class Case:
    """One way to lock us out. `ends`: reverted, refused (nothing was changed) or proven (it held)."""

    name: str
    concern: str
    how: str
    ends: str
    says: str = ""
    within: float = 4.0
    """Seconds after Ansible's own end within which a new login has to become root."""
    edits: dict[str, tuple[str, str]] = field(default_factory=dict)
    modes: dict[str, str] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    activate: tuple[str, ...] = ()
    validate: tuple[str, ...] = ()
    check: tuple[str, ...] = ()
    revert_after: int = 25
    role: str = ""
    variables: dict[str, Any] = field(default_factory=dict)
    preflight: dict[str, Any] = field(default_factory=dict)
    before: str = ""
    after: str = ""


def ssh(name: str, how: str, old: str, new: str, says: str = NO_LOGIN, **more: Any) -> Case:
    """A setting that sshd itself takes and nobody gets in by."""
    return Case(
        name,
        "ssh",
        how,
        "reverted",
        says,
        edits={SSH: (old, new)},
        activate=(RELOAD,),
        check=("sshd -t",),
        **more,
    )


def sudo(name: str, how: str, text: str, says: str = NO_LOGIN, **more: Any) -> Case:
    """A sudo rule that parses and nobody becomes root by."""
    return Case(name, "sudo", how, "reverted", says, edits={EXTRA_SUDO: ("", f"{text}\n")}, **more)


def user(name: str, how: str, *commands: str, **more: Any) -> Case:
    """Something about the account changes in the middle of a change."""
    return Case(
        name, "users", how, "reverted", NO_LOGIN, edits={"/etc/motd": ("", "x\n")}, activate=commands, **more
    )


def harmless(name: str, concern: str, how: str, *commands: str, ends: str = "proven", **more: Any) -> Case:
    """Something happens to the node around a change that is good: it has to hold, or to change nothing."""
    return Case(name, concern, how, ends, edits={"/etc/motd": ("", f"{name}\n")}, activate=commands, **more)


SSHD = (
    Case(
        "wrong-port",
        "ssh",
        "sshd listens on a port that nobody reaches",
        "reverted",
        NO_LOGIN,
        role="ssh_server",
        variables={"ssh_server_listen_port": 2222},
    ),
    Case(
        "groups-without-us",
        "ssh",
        "AllowGroups names a group that we are not in",
        "reverted",
        NO_LOGIN,
        role="ssh_server",
        variables={"ssh_server_allow_groups": ["nobody-is-in-here"]},
    ),
    Case(
        "bad-macs",
        "ssh",
        "MACs that sshd does not know",
        "refused",
        "Bad SSH2 mac spec",
        role="ssh_server",
        variables={"ssh_server_macs": ["h", "m", "a", "c"]},
    ),
    Case(
        "bad-ciphers",
        "ssh",
        "ciphers that sshd does not know",
        "refused",
        "Bad SSH2 cipher spec",
        role="ssh_server",
        variables={"ssh_server_ciphers": ["rot13"]},
    ),
    Case(
        "no-sessions",
        "ssh",
        "MaxSessions 0: a login without a session",
        "reverted",
        NO_LOGIN,
        role="ssh_server",
        variables={"ssh_server_max_sessions": 0},
    ),
    Case(
        "keys-of-another-type",
        "ssh",
        "only RSA keys are accepted, ours is Ed25519",
        "reverted",
        NO_LOGIN,
        role="ssh_server",
        variables={"ssh_server_pubkey_algorithms": ["rsa-sha2-512"]},
    ),
    ssh(
        "listens-on-loopback",
        "ListenAddress is the loopback only",
        "AddressFamily any",
        "ListenAddress 127.0.0.1",
    ),
    ssh(
        "only-ipv6",
        "AddressFamily inet6, and the controller has IPv4",
        "AddressFamily any",
        "AddressFamily inet6",
    ),
    ssh("deny-users", "DenyUsers names us", "AddressFamily any", "DenyUsers admin"),
    ssh("allow-others", "AllowUsers names somebody else", "AddressFamily any", "AllowUsers somebody"),
    ssh(
        "second-factor",
        "a second factor that automation has not got",
        "AuthenticationMethods publickey\nPubkeyAuthentication yes\nPasswordAuthentication no",
        "AuthenticationMethods publickey,password\nPasswordAuthentication yes",
    ),
    ssh(
        "keys-elsewhere",
        "AuthorizedKeysFile points where no keys are",
        ".ssh/authorized_keys",
        "/etc/ssh/keys/%u",
    ),
    ssh(
        "revoked-list-missing",
        "RevokedKeys names a file that is not there, so every key counts as revoked",
        "AddressFamily any",
        "RevokedKeys /etc/ssh/revoked",
    ),
    ssh(
        "force-command",
        "a Match block gives us a command that does nothing",
        "PrintLastLog yes",
        "PrintLastLog yes\nMatch User admin\n\tForceCommand /bin/false",
    ),
    ssh("chroot", "ChrootDirectory is not there", "AddressFamily any", "ChrootDirectory /srv/nowhere"),
    ssh(
        "weak-cipher-only",
        "the one cipher is one that no client offers",
        "Ciphers ",
        "Ciphers aes128-cbc\n#",
    ),
    ssh(
        "host-key-changed",
        "sshd shows a host key that nobody knows",
        "HostKey /etc/ssh/ssh_host_ed25519_key",
        "HostKey /etc/ssh/lockout_key",
        "Host key verification failed",
        before="rm -f /etc/ssh/lockout_key*; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/lockout_key",
        after="rm -f /etc/ssh/lockout_key*",
    ),
    Case(
        "pam-off",
        "ssh",
        "UsePAM no: sshd itself refuses an account without a password as locked",
        "reverted",
        NO_LOGIN,
        edits={SSH: ("UsePAM yes", "UsePAM no")},
        activate=(RELOAD,),
    ),
    Case(
        "ssh-syntax",
        "ssh",
        "a word that sshd does not know",
        "refused",
        "Bad configuration option",
        edits={SSH: ("UsePAM yes", "UsePAMM yes")},
        validate=(f"sshd -t -f {{staged}}{SSH}",),
    ),
    Case(
        "ssh-syntax-unvalidated",
        "ssh",
        "the same without a validator: found when it is applied",
        "reverted",
        "at once",
        edits={SSH: ("UsePAM yes", "UsePAMM yes")},
        check=("sshd -t",),
    ),
    Case(
        "include-missing",
        "ssh",
        "the main file no longer includes the drop-ins",
        "reverted",
        "at once",
        edits={"/etc/ssh/sshd_config": ("Include ", "#Include ")},
        activate=(RELOAD,),
        check=("sshd -t", "sh -c \"sshd -T | grep -qx 'passwordauthentication no'\""),
    ),
    Case(
        "startups-exhausted",
        "ssh",
        "MaxStartups 1, and somebody holds that one connection open",
        "reverted",
        NO_LOGIN,
        edits={SSH: ("MaxStartups ", "MaxStartups 1:100:1\n#")},
        within=6,
        activate=(
            RELOAD,
            'systemd-run -q --collect -u holder python3 -c "import socket,time; '
            "s=[socket.create_connection(('127.0.0.1',22)) for n in range(3)]; time.sleep(60)\"",
            "sleep 1",
        ),
        after="systemctl stop holder; true",
    ),
    Case(
        "hosts-deny",
        "ssh",
        "hosts.deny shuts everybody out",
        "reverted",
        NO_LOGIN,
        edits={"/etc/hosts.deny": ("", "ALL: ALL\n")},
    ),
    harmless(
        "sshd-killed",
        "ssh",
        "sshd is killed as if for want of memory",
        "systemctl kill -s KILL --kill-who=main ssh",
    ),
    Case(
        "sshd-fails-too-often",
        "ssh",
        "sshd was started in vain until systemd gives up",
        "reverted",
        "at once",
        edits={SSH: ("UsePAM yes", "UsePAMM yes")},
        activate=("sh -c 'for i in 1 2 3 4 5 6 7; do systemctl restart ssh; done; systemctl is-active ssh'",),
    ),
    Case(
        "sshd-masked",
        "ssh",
        "ssh.service is masked and stopped",
        "reverted",
        NO_LOGIN,
        edits={"/etc/motd": ("", "x\n")},
        activate=("systemctl mask --now ssh.service",),
    ),
    Case(
        "host-keys-deleted",
        "ssh",
        "the host keys are gone when sshd is to reload",
        "reverted",
        "at once",
        edits={SSH: ("LogLevel VERBOSE", "LogLevel INFO")},
        check=("sshd -t",),
        before="mkdir -p /root/aside; mv /etc/ssh/ssh_host_* /root/aside",
        after="mv /root/aside/* /etc/ssh",
    ),
)

PAM = (
    Case(
        "pam-module-missing",
        "pam",
        "common-account names a module that is not there",
        "refused",
        "pam_nowhere.so",
        edits={ACCOUNT: ("", "account required pam_nowhere.so\n")},
    ),
    Case(
        "pam-denies",
        "pam",
        "the account phase ends in pam_deny",
        "reverted",
        NO_LOGIN,
        edits={ACCOUNT: ("account\trequired\t\t\tpam_permit.so", "account required pam_deny.so")},
    ),
    Case(
        "pam-session-denies",
        "pam",
        "no session can be opened",
        "reverted",
        NO_LOGIN,
        edits={SESSION: ("", "session required pam_deny.so\n")},
    ),
    Case(
        "pam-sudo-denies",
        "pam",
        "logins work, sudo's account phase refuses",
        "reverted",
        NO_LOGIN,
        edits={"/etc/pam.d/sudo": ("@include common-account", "account required pam_deny.so")},
    ),
    Case(
        "pam-access",
        "pam",
        "pam_access lets nobody in",
        "reverted",
        NO_LOGIN,
        edits={
            ACCOUNT: ("", "account required pam_access.so\n"),
            "/etc/security/access.conf": ("", "-:ALL:ALL\n"),
        },
    ),
    Case(
        "login-limit",
        "pam",
        "limits.conf allows us no login at all",
        "reverted",
        NO_LOGIN,
        edits={"/etc/security/limits.d/60-lockout.conf": ("", "admin - maxlogins 0\n")},
    ),
    Case(
        "process-limit",
        "pam",
        "limits.conf allows us no process",
        "reverted",
        NO_LOGIN,
        edits={"/etc/security/limits.d/60-lockout.conf": ("", "admin - nproc 0\n")},
    ),
    harmless(
        "faillock-storm",
        "pam",
        "hundreds of wrong passwords for us and for root",
        "/usr/bin/python3 /var/lib/lockout-storm",
        after="faillock --user admin --reset; faillock --user root --reset",
    ),
    Case(
        "nologin",
        "pam",
        "/run/nologin appears, as before a planned shutdown",
        "reverted",
        NO_LOGIN,
        edits={"/etc/motd": ("", "x\n")},
        activate=("touch /run/nologin",),
    ),
)

SUDO_RULES = (
    Case(
        "sudo-syntax",
        "sudo",
        "rules that do not parse",
        "refused",
        REFUSED,
        edits={SUDO: ("NOPASSWD: ALL", "NOPASSWD ALL")},
        modes={SUDO: "0440"},
        validate=(f"visudo -cf {{staged}}{SUDO}",),
    ),
    Case(
        "sudo-syntax-unvalidated",
        "sudo",
        "the same without a validator: found when they are applied",
        "reverted",
        "at once",
        edits={SUDO: ("NOPASSWD: ALL", "NOPASSWD ALL")},
        modes={SUDO: "0440"},
        check=("visudo -c",),
    ),
    Case(
        "sudo-without-us",
        "sudo",
        "the rules no longer name us",
        "reverted",
        NO_LOGIN,
        edits={SUDO: ("\nadmin\t", "\nnobody\t")},
        modes={SUDO: "0440"},
    ),
    sudo("sudo-denies", "a later rule takes ours back", "admin ALL=(ALL) !ALL"),
    sudo("requiretty", "sudo asks for a terminal", "Defaults requiretty"),
    sudo(
        "sudo-log-unwritable",
        "sudo has to record its sessions where nothing can be written",
        "Defaults log_output, iolog_dir=/proc/nowhere, !ignore_iolog_errors",
    ),
    sudo("sudo-path", "secure_path leads nowhere", "Defaults secure_path=/nowhere"),
    sudo("sudo-noexec", "sudo's programs may not start others", "Defaults noexec", NO_LOGIN),
    Case(
        "sudoers-mode",
        "sudo",
        "the rules are writable by all, so sudo passes over them",
        "reverted",
        NO_LOGIN,
        edits={SUDO: ("", "")},
        modes={SUDO: "0666"},
    ),
    Case(
        "sudoers-owner",
        "sudo",
        "the rules belong to somebody else, so sudo passes over them",
        "reverted",
        NO_LOGIN,
        edits={SUDO: ("", "")},
        modes={SUDO: "0440"},
        owners={SUDO: "admin"},
    ),
    Case(
        "sudoers-include",
        "sudo",
        "/etc/sudoers no longer includes the folder",
        "reverted",
        NO_LOGIN,
        edits={"/etc/sudoers": ("@includedir", "#  includedir")},
        modes={"/etc/sudoers": "0440"},
    ),
)

USERS = (
    user("shell-missing", "our shell is a program that is not there", "usermod -s /bin/nowhere admin"),
    user("account-expired", "our account expired long ago", "chage -E 1 admin"),
    user(
        "password-aged", "our password has to be changed at once, by nobody who knows it", "chage -d 0 admin"
    ),
    user("out-of-the-group", "we are taken out of the group that may log in", "gpasswd -d admin ssh-users"),
    user(
        "home-open", "our home is writable by all, so sshd distrusts the keys in it", "chmod 0777 /home/admin"
    ),
    user(
        "keys-of-a-stranger", "our keys belong to somebody else", f"chown nobody {KEYS}", f"chmod 0600 {KEYS}"
    ),
    user("keys-empty", "our keys are gone", f"truncate -s 0 {KEYS}"),
    user(
        "key-expired", "our key has an end that has passed", f"sed -i 's/^/expiry-time=\"20200101\" /' {KEYS}"
    ),
    user(
        "key-from-elsewhere",
        "our key is good from another network only",
        f"sed -i 's/^/from=\"192.0.2.1\" /' {KEYS}",
    ),
    user(
        "home-gone",
        "our home is gone",
        "mv /home/admin /home/elsewhere",
        after="cp -an /home/elsewhere/. /home/admin/; rm -r /home/elsewhere",
    ),
    Case(
        "key-taken-by-the-list",
        "users",
        "the list of people names us with another key",
        "reverted",
        NO_LOGIN,
        role="users",
        variables={
            "users_people": [
                {
                    "name": "admin",
                    "expires": "2099-01-01",
                    "keys": [
                        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOoEPTcjHq2fngg0Ld0P/7+J2hwofpWF6laQntzxParZ"
                    ],
                }
            ],
            "users_administrators": [],
        },
    ),
    Case(
        "groups-by-the-list",
        "users",
        "the list of people takes us out of the group that sudo trusts",
        "reverted",
        NO_LOGIN,
        role="users",
        variables={
            "users_automation": [{"name": "nobody", "owner": "x", "why": "x", "expires": "2099-01-01"}]
        },
    ),
)

GUARD = (
    Case(
        "slower-than-the-revert",
        "guard",
        "a change takes longer than its own time limit",
        "reverted",
        "took longer",
        edits={SSH: ("AddressFamily any", "DenyUsers admin")},
        activate=("sleep 5", RELOAD),
        revert_after=3,
    ),
    Case(
        "guard-deleted",
        "guard",
        "the guard's program is deleted while a change waits for its proof",
        "reverted",
        NO_LOGIN,
        edits={"/etc/motd": ("", "x\n")},
        activate=("mv /usr/local/sbin/stockade-guard /root",),
        after="mv /root/stockade-guard /usr/local/sbin",
    ),
    Case(
        "python-missing",
        "guard",
        "Python goes away while a change waits for its proof",
        "reverted",
        NO_LOGIN,
        edits={"/etc/motd": ("", "x\n")},
        activate=(
            "mv /usr/bin/python3 /usr/bin/python3.aside",
            "systemd-run -q --collect --on-active=5 mv /usr/bin/python3.aside /usr/bin/python3",
        ),
        within=8,
    ),
    harmless("daemon-reexec", "guard", "systemd starts itself anew in the middle", "systemctl daemon-reexec"),
    harmless(
        "disk-full",
        "guard",
        "no room for the way back",
        ends="refused",
        says="MB free below /var/lib/stockade",
        before="mount -t tmpfs -o size=4m tmpfs /var/lib/stockade",
        after="umount /var/lib/stockade",
    ),
    harmless(
        "inodes-full",
        "guard",
        "no inodes for the way back",
        ends="refused",
        says="inodes free below",
        before="mount -t tmpfs -o nr_inodes=40 tmpfs /var/lib/stockade",
        after="umount /var/lib/stockade",
    ),
    Case(
        "disk-full-in-the-middle",
        "guard",
        "the disk fills up between the change and its revert",
        "reverted",
        NO_LOGIN,
        edits={SSH: ("AddressFamily any", "DenyUsers admin")},
        activate=(RELOAD, "sh -c 'cat /dev/zero > /etc/ssh/sshd_config.d/zero; true'"),
        before="cp -a /etc/ssh/sshd_config.d /root/d; mount -t tmpfs -o size=64k,mode=755 tmpfs /etc/ssh/sshd_config.d; "
        "cp -a /root/d/. /etc/ssh/sshd_config.d/",
        after="umount /etc/ssh/sshd_config.d; rm -r /root/d; systemctl reload ssh",
    ),
    harmless(
        "read-only-etc",
        "guard",
        "/etc is read-only",
        ends="reverted",
        says="Read-only file system",
        before="mount --bind /etc /etc && mount -o remount,ro,bind /etc",
        after="umount /etc",
    ),
    harmless(
        "read-only-state",
        "guard",
        "the guard's own state is read-only",
        ends="refused",
        says="nothing was changed",
        before="mount --bind /var/lib/stockade /var/lib/stockade && mount -o remount,ro,bind /var/lib/stockade",
        after="umount /var/lib/stockade",
    ),
    harmless(
        "tmp-noexec",
        "machine",
        "/tmp and /var/tmp run no programs",
        before="mount -t tmpfs -o noexec tmpfs /tmp; mount -t tmpfs -o noexec tmpfs /var/tmp",
        after="umount /tmp /var/tmp",
    ),
    harmless(
        "clock-a-day-ahead",
        "machine",
        "our programs see a clock that is a day ahead",
        before=f"echo '{SKEWED.format(seconds=86400)}' > {SITE}",
        after=f"rm {SITE}",
    ),
    harmless(
        "clock-a-day-behind",
        "machine",
        "our programs see a clock that is a day behind",
        before=f"echo '{SKEWED.format(seconds=-86400)}' > {SITE}",
        after=f"rm {SITE}",
    ),
    Case(
        "clock-jumps-back",
        "machine",
        "the clock falls back a day while a broken change waits for its proof",
        "reverted",
        NO_LOGIN,
        edits={SSH: ("AddressFamily any", "DenyUsers admin")},
        activate=(RELOAD, f"sh -c \"echo '{SKEWED.format(seconds=-86400)}' > {SITE}\""),
        after=f"rm {SITE}",
    ),
)

FILTER = (
    Case(
        "nft-syntax",
        "firewall",
        "rules that do not parse",
        "refused",
        REFUSED,
        edits={RULES: ("policy drop;", "policy dorp;")},
        validate=(f"nft -c -f {{staged}}{RULES}",),
    ),
    Case(
        "nft-syntax-unvalidated",
        "firewall",
        "the same without a validator: the old rules stand",
        "reverted",
        "at once",
        edits={RULES: ("policy drop;", "policy dorp;")},
        activate=("/usr/local/sbin/stockade-firewall load",),
    ),
    harmless(
        "conntrack-flushed",
        "firewall",
        "the kernel forgets every connection, ours too",
        f'python3 -c "{FLUSH}"',
    ),
    harmless(
        "own-address-is-a-threat",
        "firewall",
        "our own network is in the threat set",
        before="nft add element inet stockade threats4 '{ 172.30.10.0/24 }'",
        after="nft flush set inet stockade threats4",
    ),
)

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
    preflight("unsupported-system", "a system that nobody has tried", "Fedora 41; Debian 12 and 13 are supported",
              before="printf 'ID=fedora\\nVERSION_ID=41\\nPRETTY_NAME=\"Fedora 41\"\\n' > /run/other; "
              "mount --bind /run/other /etc/os-release", after="umount /etc/os-release"),
    preflight("dpkg-locked", "another process holds dpkg's lock", "dpkg is locked",
              before=f"systemd-run -q --collect -u locker {LOCK.format(seconds=60)}; sleep 0.5", after="systemctl stop locker"),
    Case("dpkg-locked-for-a-while", "preflight", "another process holds dpkg's lock and lets go", "proven",
         preflight={**FIT, "wait": 30}, before=f"systemd-run -q --collect -u locker {LOCK.format(seconds=3)}; sleep 0.5"),
    preflight("first-boot", "cloud-init is still at work", "cloud-init is still running",
              before="printf '#!/bin/sh\\necho status: running\\n' > /usr/bin/cloud-init; chmod 755 /usr/bin/cloud-init",
              after="rm /usr/bin/cloud-init"),
    preflight("preflight-clock-ahead", "the node's clock is a day ahead", "clock is 86400 s off",
              before=f"echo '{SKEWED.format(seconds=86400)}' > {SITE}", after=f"rm {SITE}", max_skew_seconds=60),
    preflight("preflight-disk", "less room than packages need", "MB free on /", min_free_mb=10**9),
    preflight("preflight-inodes", "fewer inodes than packages need", "inodes free on /", min_free_inodes=10**12),
    preflight("not-in-the-group", "nobody lists the account of this connection", "would be in none of the groups",
              automation=[], allow_groups=["others"]),
    preflight("address-not-listed", "ssh will be open to other networks than ours", "this connection comes from",
              admin_networks=["192.0.2.0/24"]),
    preflight("no-networks", "ssh would be open to nobody", "local_firewall_admin_networks is empty", admin_networks=[]),
    preflight("entry-expired", "our right to become root without a password has ended", "expired on 2020-01-01",
              automation=[{"name": "admin", "owner": "x", "why": "x", "expires": "2020-01-01"}]),
    preflight("preflight-nologin", "/etc/nologin is there: our connection is the last one", "/etc/nologin",
              before="touch /etc/nologin", after="rm /etc/nologin"),
    preflight("preflight-host-keys", "sshd would not start again: its host keys are gone", "sshd",
              before="mkdir -p /root/aside; mv /etc/ssh/ssh_host_* /root/aside", after="mv /root/aside/* /etc/ssh"),
    preflight("preflight-account-expired", "our account has expired since we came in", "a new login with sudo failed",
              before="chage -E 1 admin", after="chage -E -1 admin"),
    preflight("preflight-sudo", "sudo has stopped working since we became root", "a new login with sudo failed",
              before="echo 'Defaults requiretty' > /etc/sudoers.d/60-lockout; chmod 440 /etc/sudoers.d/60-lockout",
              after="rm /etc/sudoers.d/60-lockout"),
)  # fmt: skip

CASES: tuple[Case, ...] = (*SSHD, *PAM, *SUDO_RULES, *USERS, *GUARD, *FILTER, *PREFLIGHT)
