"""The disk of a virtual node: UEFI, GRUB and a file system for each mount point that a benchmark asks for.

It is made without a loop device and without a mount of the machine: mke2fs and mtools write each file system
at its offset, from the image and the node's own files laid over each other in a mount namespace.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fault import Fault
from twin.ledger import Ledger

TOOLS = ("mke2fs", "debugfs", "sfdisk", "mkfs.vfat", "mcopy", "mmd")
MIB = 1 << 20


class Part(NamedTuple):
    """One partition: its label, where it is mounted, and how many MiB it has."""

    label: str
    point: str
    size: int
    mode: str = "755"


EFI = Part("efi", "boot/efi", 64)
# The deepest mount points first: each is written, then hidden from the one that holds it.
PARTS = (
    Part("audit", "var/log/audit", 256, "750"),
    Part("log", "var/log", 1536),  # the journal leaves 512 of it free, whatever it has to give up
    Part("vartmp", "var/tmp", 256, "1777"),
    Part("var", "var", 1024),
    Part("home", "home", 128),
    Part("srv", "srv", 64),
    Part("opt", "opt", 64),
    Part("boot", "boot", 256),
    Part("root", "", 3072),
)
LOADER = "usr/lib/grub/x86_64-efi/monolithic/grubx64.efi"
# The emulated processors share one clock; to ask an emulated timer chip costs more than a system call.
WORDS = "console=ttyS0 tsc=reliable"
GRUB_STUB = (
    "search --no-floppy --label --set=root boot\nset prefix=($root)/grub\nconfigfile $prefix/grub.cfg\n"
)


def fstab() -> str:
    """As an installer writes it, without a single hardening option: those are the product's."""
    lines = [f"LABEL={part.label} /{part.point} ext4 defaults 0 {2 if part.point else 1}" for part in PARTS]
    return "\n".join([*reversed(lines), f"LABEL=EFI /{EFI.point} vfat defaults 0 2"]) + "\n"


def first_menu(image: Path) -> str:
    """What GRUB reads at the very first boot; the node's own update-grub replaces it."""
    kernel = sorted((image / "boot").glob("vmlinuz-*"))[-1].name
    initrd = kernel.replace("vmlinuz", "initrd.img")
    return (
        "set timeout=0\nmenuentry 'Debian' {\n  search --no-floppy --label --set=root boot\n"
        f"  linux /{kernel} root=LABEL=root ro {WORDS}\n  initrd /{initrd}\n}}\n"
    )


def make(ledger: Ledger, directory: Path, image: Path) -> None:
    """Write `directory`/disk from `image` and the files in `directory`/upper. Raises Fault."""
    disk = directory / "disk"
    disk.unlink(missing_ok=True)
    (directory / "grub.cfg").write_text(GRUB_STUB)
    order = (EFI, *reversed(PARTS))
    with disk.open("wb") as file:
        file.truncate((sum(part.size for part in order) + 4) * MIB)
    starts = {part: 1 + sum(p.size for p in order[:number]) for number, part in enumerate(order)}
    lines = ["set -eu", f"cd {shlex.quote(str(directory))}"]
    lines += [*_table(starts), *_boot_partition(starts[EFI], image), *_file_systems(starts, image)]
    # A mount namespace of its own: what is mounted here is gone with it.
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", "\n".join(lines)]
    log = directory / "disk.log"
    log.unlink(missing_ok=True)
    if ledger.spawn("disk", command, log=log, grace=0).wait():
        words = " ".join(log.read_text(errors="replace").strip().splitlines()[-1:])
        raise Fault(f"no disk: {words or 'no message'}", "a virtual node has a disk", f"read {log}")


def _table(starts: dict[Part, int]) -> Sequence[str]:
    lines = ["sfdisk -q disk <<END", "label: gpt", "unit: sectors"]
    for part, start in starts.items():
        kind = "uefi" if part is EFI else "linux"
        lines.append(f"start={start * 2048}, size={part.size * 2048}, type={kind}, name={part.label}")
    return [*lines, "END"]


def _boot_partition(start: int, image: Path) -> Sequence[str]:
    """As grub-install leaves it; under the removable path, so that the firmware needs no entry."""
    return [
        f"truncate -s {EFI.size}M efi && mkfs.vfat -n EFI efi > /dev/null",
        "mmd -i efi ::/EFI ::/EFI/BOOT ::/EFI/debian",
        f"mcopy -i efi {shlex.quote(str(image / LOADER))} ::/EFI/BOOT/BOOTX64.EFI",
        "mcopy -i efi grub.cfg ::/EFI/debian/grub.cfg",
        f"dd if=efi of=disk bs=1M seek={start} conv=notrunc,sparse status=none && rm efi",
    ]


def _file_systems(starts: dict[Part, int], image: Path) -> Sequence[str]:
    layers = shlex.quote(f"lowerdir={image},upperdir=upper,workdir=work")
    lines = [f"mount -t overlay overlay -o {layers} root", f"mkdir -p root/{EFI.point} root/var/log/audit"]
    for part in PARTS:
        where = f"root/{part.point}".rstrip("/")
        at = f"offset={starts[part] * MIB},root_owner=0:0"
        lines += [
            *([f"chmod {part.mode} {where}"] if part.point else []),
            f"mke2fs -q -t ext4 -L {part.label} -d {where} -E {at} disk {part.size}M",
            # What mke2fs copies is what lies in the directory, not its mode.
            f"debugfs -w -R 'set_inode_field <2> mode 04{part.mode:0>4}' 'disk?offset={starts[part] * MIB}'",
            *([f"mount -t tmpfs -o mode={part.mode} tmpfs {where}"] if part.point else []),
        ]
    return lines
