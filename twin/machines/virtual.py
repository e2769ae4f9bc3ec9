"""A node with a kernel of its own: the same Debian on a disk, run by QEMU.

What nspawn cannot show is shown here: auditd, AppArmor, kernel modules, the host's sysctls, boot options,
separate file systems. There is no hardware help on the machines that this runs on: a boot takes a minute.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from fault import Fault
from twin.ledger import Ledger
from twin.machines import disk, image
from twin.machines.nodes import Node
from twin.machines.wires import gateway_of, mac
from twin.progress import Progress

TOOLS = ("qemu-system-x86_64", *disk.TOOLS)
FIRMWARE = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
VARIABLES = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
# One processor: two of them, emulated, waited for each other for ever in one boot among some dozens (QEMU
# 7.2, a soft lockup of both while a module loaded), and one leaves the other core to those who ask.
MEMORY_MB, PROCESSORS = 1536, 1
# A fifth level of page tables makes each look-up longer, and nobody runs machines inside of this one.
PROCESSOR = "max,la57=off,svm=off"
# Beside the image's own packages: what only a machine with a kernel has. What the roles install is here as
# well, and the judge, because unpacking it without hardware help would take longer than everything else.
# fmt: off
PACKAGES = [
    "linux-image-cloud-amd64", "initramfs-tools", "grub-efi-amd64", "apparmor", "apparmor-utils", "auditd",
    "libpam-apparmor", "audispd-plugins", "aide", "libpam-pwquality", "cracklib-runtime", "logrotate",
    "systemd-journal-remote", "openscap-scanner",
]
# fmt: on
UNITS = "etc/systemd/system/multi-user.target.wants"


def obstacle() -> str | None:
    """Why no virtual node can be run here, or None."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    missing += [str(file) for file in (FIRMWARE, VARIABLES) if not file.exists()]
    return f"{', '.join(missing)} missing (./bootstrap virtual installs them)" if missing else None


class VirtualNode(Node):
    """A node whose disk is a file; everything else is the same as of a node in nspawn."""

    patience = 600.0
    watches = False

    @staticmethod
    def make_image(ledger: Ledger, progress: Progress | None, release: str) -> Path:
        """The directory that its disk is written from. Raises Fault, also when QEMU is missing."""
        if reason := obstacle():
            raise Fault(reason, "a virtual node is run by QEMU", "./bootstrap virtual")
        return image.build(ledger, progress, extra=tuple(PACKAGES), release=release)

    def _complete(self) -> None:
        self._seed("etc/fstab", disk.fstab())
        self._seed("etc/systemd/network/10-ens.network", self._network())
        self._seed(
            "etc/default/grub.d/10-console.cfg", f'GRUB_CMDLINE_LINUX="{disk.WORDS}"\nGRUB_TIMEOUT=0\n'
        )
        self._seed("boot/grub/grub.cfg", disk.first_menu(self.plan.image))
        link = self._folder(UNITS) / "systemd-networkd.service"
        link.symlink_to("/lib/systemd/system/systemd-networkd.service")
        shutil.copy(VARIABLES, self.directory / "variables")
        os.mkfifo(self.directory / "keys", 0o600)
        disk.make(self.ledger, self.directory, self.plan.image)

    def press(self, keys: str) -> None:
        """Type on its serial console, as one in front of the machine does; `console` has what it shows."""
        keyboard = os.open(self.directory / "keys", os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(keyboard, keys.encode())
        finally:
            os.close(keyboard)

    def _network(self) -> str:
        card = self.plan.card
        cidr = self.wires.account.subnet(card.subnet).cidr
        lines = [f"[Match]\nMACAddress={mac(card.address)}\n", "[Network]", "IPv6AcceptRA=no"]
        lines.append(f"Address={card.address}/{cidr.rpartition('/')[2]}")
        lines += [f"Address={card.address6}/128"] if card.address6 else []
        lines += ["", "[Route]", f"Gateway={gateway_of(cidr)}"]
        lines += ["", "[Route]", "Gateway=fe80::1"] if card.address6 else []
        return "\n".join(lines) + "\n"

    def _supervisor(self, wire: Sequence[str]) -> str:
        """The wire ends at a bridge, because the addresses are the guest's."""
        name = self.namespace
        bridge = [
            f"ip -n {name} addr flush dev ens5",
            f"ip -n {name} link set ens5 address 02:00:00:00:00:01",
            f"ip -n {name} link add stk-bridge type bridge || exit 1",
            f"ip -n {name} tuntap add stk-tap mode tap || exit 1",
            *(f"ip -n {name} link set {end} master stk-bridge up || exit 1" for end in ("ens5", "stk-tap")),
            f"ip -n {name} link set stk-bridge up || exit 1",
        ]
        return super()._supervisor([*wire, *bridge])

    def _boot(self) -> str:
        """A reboot stays inside QEMU; it ends when the node switches itself off."""
        place = shlex.quote(str(self.directory))
        options = [
            f"-machine q35 -accel tcg,tb-size=512 -cpu {PROCESSOR} -no-user-config -nodefaults",
            f"-smp {PROCESSORS} -m {MEMORY_MB} -display none -monitor none -serial stdio",
            "-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
            f"-drive if=pflash,unit=0,format=raw,readonly=on,file={FIRMWARE}",
            f"-drive if=pflash,unit=1,format=raw,file={place}/variables",
            f"-drive if=virtio,format=raw,cache=unsafe,discard=unmap,file={place}/disk",
            "-netdev tap,id=net,ifname=stk-tap,script=no,downscript=no",
            f"-device virtio-net-pci,netdev=net,mac={mac(self.plan.card.address)},romfile=",
            "-device virtio-rng-pci",
        ]
        run = f"exec nsenter --net=/run/netns/{self.namespace} qemu-system-x86_64"
        # Opened for both ways: a keyboard that nobody touches is not one that was pulled out.
        options.append(f"0<>{place}/keys")
        return "\n".join(["#!/bin/sh", " \\\n  ".join([run, *options])]) + "\n"
