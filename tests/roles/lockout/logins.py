"""PAM, sudo and accounts: logins that sshd would let in and that still end before root."""

from __future__ import annotations

from tests.roles.lockout.model import (
    ACCOUNT,
    KEYS,
    NO_LOGIN,
    REFUSED,
    SESSION,
    SUDO,
    Case,
    harmless,
    sudo,
    user,
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
        after="rm -f /var/log/faillock/*",
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
        "groups-by-the-list",
        "users",
        "the list of people takes us out of the group that sudo trusts",
        "reverted",
        NO_LOGIN,
        role="users",
        variables={
            "users_automation": [{"name": "nobody", "owner": "x", "why": "x", "expires": "2099-01-01"}]
        },
        after="gpasswd -d nobody ssh-users",
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
)
