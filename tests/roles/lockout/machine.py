"""The guard itself under attack, the machine around it, and the packet filter."""

from __future__ import annotations

from tests.roles.lockout.model import NO_LOGIN, REFUSED, RELOAD, RULES, SITE, SKEWED, SSH, Case, harmless

FLUSH = (
    "import socket,struct;s=socket.socket(socket.AF_NETLINK,socket.SOCK_RAW,12);"
    "s.send(struct.pack('=IHHIIBBH',20,0x102,5,1,0,0,0,0));d=s.recv(99);"
    "assert struct.unpack('=i',d[16:20])[0]==0"
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
        before="cp -a /etc/ssh/sshd_config.d /root/d; "
        "mount -t tmpfs -o size=64k,mode=755 tmpfs /etc/ssh/sshd_config.d; "
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
        before="cd /var/lib; mount --bind stockade stockade && mount -o remount,ro,bind stockade",
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
