"""What only a kernel of its own can show broken: (what, how, how it is mended, the controls that turn red).

None has to do with another, so that the sum of their controls is the whole difference: a run of the suite
takes minutes where every instruction is emulated.
"""

from __future__ import annotations

from tests.mutation.weaknesses.nodes import ids

PARAMETERS: dict[str, tuple[str, str, int]] = {
    # parameter: loosened, as it was, number of its control below KRN
    "kernel.randomize_va_space": ("1", "2", 13),
    "kernel.kptr_restrict": ("0", "2", 14),
    "kernel.dmesg_restrict": ("0", "1", 15),
    "kernel.yama.ptrace_scope": ("0", "2", 16),
    "net.core.bpf_jit_harden": ("0", "2", 17),
    "kernel.sysrq": ("1", "0", 18),
    "fs.suid_dumpable": ("1", "0", 19),
    "fs.protected_fifos": ("0", "2", 20),
    "kernel.perf_event_paranoid": ("1", "3", 22),
    "dev.tty.ldisc_autoload": ("1", "0", 23),
    "kernel.unprivileged_userns_clone": ("1", "0", 33),
    "kernel.perf_cpu_time_max_percent": ("25", "1", 34),
}
"""Those of the kernel as a whole. `kernel.kexec_load_disabled` (KRN-021) nobody takes back until a reboot."""


def sysctl(which: int) -> str:
    """One command that sets them all."""
    return "sysctl -q -w " + " ".join(f"{name}={stated[which]}" for name, stated in PARAMETERS.items())


MENU = "/boot/grub/grub.cfg"
TOGETHER: tuple[tuple[str, str, str, set[str]], ...] = (
    (
        "parameters of the kernel loosened at run time",
        sysctl(0),
        sysctl(1),
        ids("KRN", *(number for *_, number in PARAMETERS.values())),
    ),
    (
        "a kernel that was started without the words",
        "sed 's/ audit=1//; s/ apparmor=1//' /proc/cmdline > /run/words"
        " && mount --bind /run/words /proc/cmdline",
        "umount /proc/cmdline && rm /run/words",
        ids("KRN", 40),
    ),
    (
        "an entry of the menu that does not audit, in a menu that everybody reads",
        f"cp -p {MENU} /root/menu && sed -i '0,/ audit=1/s///' {MENU} && chmod 0644 {MENU}",
        f"cp -p /root/menu {MENU} && rm /root/menu",
        ids("KRN", 41, 42),
    ),
    (
        "a profile that only complains",
        "aa-complain /usr/sbin/chronyd",
        "aa-enforce /usr/sbin/chronyd",
        ids("KRN", 44),
    ),
    (
        "a denied module in the kernel all the same",
        "modprobe --ignore-install dccp",
        "rmmod dccp",
        ids("KRN", 26),
    ),
    (
        "logs that may hold programs, homes that may hold setuid programs",
        "mount -o remount,nodev,nosuid,exec /var/log && mount -o remount,nodev,noexec,suid /home",
        "systemctl restart stockade-mount-options",
        ids("SVC", 21, 22),
    ),
    (
        "a table that mounts logs with programs and devices at the next boot",
        "cp -p /etc/fstab /root/fstab && sed -i '/ .var.log ext4/s/nodev,nosuid,noexec/exec/' /etc/fstab",
        "mv /root/fstab /etc/fstab",
        ids("SVC", 24),
    ),
    (
        "nobody takes the kernel's records",
        "systemctl mask --quiet --runtime auditd && pkill -TERM -x auditd && sleep 2",
        "systemctl unmask --quiet --runtime auditd && systemctl start auditd",
        ids("AUD", 7),
    ),
    (
        "a full disk of records passes in silence",
        "cp -p /etc/audit/auditd.conf /root/"
        " && sed -i '/^disk_full_action/s/=.*/= IGNORE/' /etc/audit/auditd.conf",
        "mv /root/auditd.conf /etc/audit/auditd.conf",
        ids("AUD", 10),
    ),
)
