"""Things broken on a node that have nothing to do with each other: their sum is what turns red.

Each: (what, how to break it, how to repair it, the controls concerned). Nothing here may cost the way in:
what `sshd -T` reads is changed without a reload, and no key of an account loses its rights.
"""

from __future__ import annotations


def ids(area: str, *numbers: int) -> set[str]:
    """Control ids of one area."""
    return {f"STK-{area}-{number:03d}" for number in numbers}


# Loaded by the node's own means, so that the kernel holds what was loaded: only what is in it is wrong.
FIREWALL = "/etc/stockade/firewall.nft"


def rules_without(line: str) -> tuple[str, str]:
    """How to load the packet filter without the lines that match, and how to load it whole again."""
    name = "/root/filter-" + "".join(filter(str.isalnum, line))
    load = "/usr/local/sbin/stockade-firewall load"
    # A pattern that nothing matches would weaken nothing.
    spoil = f"cp -p {FIREWALL} {name} && grep -q '{line}' {name} && sed -i '/{line}/d' {FIREWALL} && {load}"
    return spoil, f"mv {name} {FIREWALL} && {load}"


TOGETHER: tuple[tuple[str, str, str, set[str]], ...] = (
    # First, so that it is mended last: its restart would bring what is wrong in sshd's files into force.
    (
        "settings on sshd's command line, which beats its files",
        "cp -p /etc/default/ssh /root/default-ssh && echo SSHD_OPTS=-oMaxAuthTries=6 > /etc/default/ssh"
        " && systemctl restart ssh",
        "mv /root/default-ssh /etc/default/ssh && systemctl restart ssh",
        ids("SSH", 18),
    ),
    (
        "redirects taken",
        "sysctl -w net.ipv4.conf.all.accept_redirects=1",
        "sysctl -w net.ipv4.conf.all.accept_redirects=0",
        ids("KRN", 1),
    ),
    ("the clock left alone", "systemctl stop chrony", "systemctl start chrony", ids("TIM", 1, 2, 3, 4, 5)),
    (
        "the journal kept on the node",
        "systemctl stop systemd-journal-upload",
        "systemctl start systemd-journal-upload",
        ids("AUD", 14),
    ),
    (
        "a file of accounts that everybody may write",
        "chmod 0666 /etc/passwd",
        "chmod 0644 /etc/passwd",
        ids("FIL", 1, 6),
    ),
    ("hashes that everybody reads", "chmod 0644 /etc/shadow", "chmod 0640 /etc/shadow", ids("FIL", 2)),
    (
        "a copy of a host key that everybody reads",
        "install -m 0644 /etc/ssh/ssh_host_ed25519_key /etc/ssh/ssh_host_old_key",
        "rm /etc/ssh/ssh_host_old_key",
        ids("FIL", 3) | ids("SSH", 20),
    ),
    (
        "a sudo rule that its reader may change",
        "chmod 0644 /etc/sudoers.d/README",
        "chmod 0440 /etc/sudoers.d/README",
        ids("FIL", 5),
    ),
    ("a folder open to all", "mkdir -m 0777 /var/tmp/open", "rmdir /var/tmp/open", ids("FIL", 7)),
    (
        "a file of nobody",
        "touch /var/tmp/orphan && chown 12345:12345 /var/tmp/orphan",
        "rm /var/tmp/orphan",
        ids("FIL", 8),
    ),
    (
        "a back door with root's rights",
        "install -m 4755 /bin/true /usr/local/bin/back",
        "rm /usr/local/bin/back",
        ids("FIL", 9, 10) | ids("AUD", 11),
    ),
    ("root's home open", "chmod 0755 /root", "chmod 0700 /root", ids("FIL", 11) | ids("USR", 19)),
    (
        "former hashes open",
        "chmod 0644 /etc/security/opasswd",
        "chmod 0600 /etc/security/opasswd",
        ids("FIL", 13),
    ),
    (
        "a node that answers broadcasts",
        "sysctl -w net.ipv4.icmp_echo_ignore_broadcasts=0",
        "sysctl -w net.ipv4.icmp_echo_ignore_broadcasts=1",
        ids("KRN", 6),
    ),
    (
        "no SYN cookies",
        "sysctl -w net.ipv4.tcp_syncookies=0",
        "sysctl -w net.ipv4.tcp_syncookies=1",
        ids("KRN", 7),
    ),
    (
        "an interface that forwards",
        "sysctl -w net.ipv6.conf.lo.forwarding=1",
        "sysctl -w net.ipv6.conf.lo.forwarding=0",
        ids("KRN", 8),
    ),
    (
        "packets from outside with the node's own address",
        "sysctl -w net.ipv4.conf.lo.accept_local=1",
        "sysctl -w net.ipv4.conf.lo.accept_local=0",
        ids("KRN", 30),
    ),
    (
        "no timer that fetches updates",
        "systemctl stop apt-daily.timer",
        "systemctl start apt-daily.timer",
        ids("PAT", 5),
    ),
    (
        "sources without a signature taken",
        "echo 'Acquire::AllowInsecureRepositories \"true\";' > /etc/apt/apt.conf.d/zz-weak",
        "rm /etc/apt/apt.conf.d/zz-weak",
        ids("PAT", 1, 2),
    ),
    (
        "logins past PAM, from the next restart on",
        "echo 'UsePAM no' > /etc/ssh/sshd_config.d/00-a.conf",
        "rm /etc/ssh/sshd_config.d/00-a.conf",
        ids("SSH", 19),
    ),
    (
        "a listener that nobody named",
        "systemd-run --quiet --unit=stk-listener python3 -m http.server 8999",
        "systemctl stop stk-listener",
        ids("SVC", 2),
    ),
    (
        "a unit that failed",
        "systemd-run --quiet --unit=stk-fails --property=Type=oneshot /bin/false || true",
        "systemctl reset-failed stk-fails",
        ids("SVC", 11),
    ),
    (
        "an account without a password, and root with one",
        "cp -p /etc/passwd /etc/shadow /root/"
        " && echo 'nopw:x:950:65534::/nonexistent:/bin/bash' >> /etc/passwd"
        " && echo 'nopw::20000:0:99999:7:::' >> /etc/shadow"
        " && echo root:Quite-Long-And-9-Words | chpasswd",
        "cp -p /root/passwd /root/shadow /etc/ && rm /root/passwd /root/shadow",
        ids("USR", 2, 4, 5, 15),
    ),
    (
        "a second account with the rights of root",
        "echo 'toor:x:0:0::/root:/bin/bash' >> /etc/passwd; echo 'toor:!:20000::::::' >> /etc/shadow",
        "sed -i '/^toor:/d' /etc/passwd /etc/shadow",
        ids("USR", 1, 3, 27),
    ),
    (
        "a file beside the keys that the group writes",
        "install -m 0664 -o admin /dev/null /home/admin/.ssh/extra",
        "rm /home/admin/.ssh/extra",
        ids("USR", 20),
    ),
    (
        "a folder of root's path that the group writes",
        "chmod g+w /usr/local/bin",
        "chmod g-w /usr/local/bin",
        ids("USR", 24),
    ),
    (
        "short keys taken by servers",
        "sed -i 's/SECLEVEL=2/SECLEVEL=0/' /etc/ssl/*stockade*",
        "sed -i 's/SECLEVEL=0/SECLEVEL=2/' /etc/ssl/*stockade*",
        ids("SVC", 9),
    ),
    (
        "log files that are thrown away after days",
        "sed -i.weak 's/^rotate .*/rotate 4/' /etc/logrotate.conf",
        "mv /etc/logrotate.conf.weak /etc/logrotate.conf",
        ids("AUD", 17),
    ),
    (
        "sudo for whoever has no terminal",
        "echo 'Defaults !requiretty' > /etc/sudoers.d/zz-weak && chmod 0440 /etc/sudoers.d/zz-weak",
        "rm /etc/sudoers.d/zz-weak",
        ids("USR", 33),
    ),
    (
        "a database of checksums that somebody made anew",
        "cp -p /var/lib/aide/aide.db /root/ && echo '# new' >> /var/lib/aide/aide.db",
        "mv /root/aide.db /var/lib/aide/aide.db",
        ids("FIL", 23),
    ),
    (
        "a web server that serves nothing",
        "umask 022; mkdir -p /root/web/DEBIAN && printf 'Package: nginx\\nVersion: 99\\nArchitecture: all\\n"
        "Maintainer: x <x@example.org>\\nDescription: x\\n' > /root/web/DEBIAN/control"
        # By apt, whose history stays closed to others all the same.
        " && dpkg-deb --build /root/web >&2 && apt-get -q -y install /root/web.deb >&2",
        "dpkg --purge nginx >&2; rm -r /root/web /root/web.deb",
        ids("SVC", 13),
    ),
    (
        "packets of a connection that was let in without a bound",
        *rules_without("jump floods"),
        ids("FWL", 7),
    ),
    (
        "loopback addresses taken from any wire",
        *rules_without("ip saddr 127.0.0.0"),
        ids("FWL", 11),
    ),
    (
        "a journal that everybody reads",
        "chmod o+r /var/log/journal/*/system.journal",
        "chmod o-r /var/log/journal/*/system.journal",
        ids("AUD", 6),
    ),
)
