"""Boot: the command line in force, who may edit the menu, and confinement from the first process on."""

from __future__ import annotations

import json

import pytest

# ANSSI BP-028 2.0, R7 and R8: known flaws of processors are worked around, whatever the kernel would decide.
FLAWS = {
    "iommu=force", "l1tf=full,force", "mds=full,nosmt", "pti=on", "spec_store_bypass_disable=seccomp",
    "spectre_v2=on",
}  # fmt: skip
WORDS = {"audit=1", "apparmor=1", "security=apparmor", "page_alloc.shuffle=1", "slab_nomerge=yes", *FLAWS}
LIMIT = "audit_backlog_limit="


@pytest.fixture(scope="module")
def own_kernel(host):
    """Skips where the kernel and its command line belong to a host."""
    if host.run("systemd-detect-virt --container --quiet").rc == 0:
        pytest.skip("not applicable: in a container kernel, command line and boot loader are the host's")


@pytest.fixture(scope="module")
def loader(host, own_kernel):
    """The entries of GRUB's menu; a machine without GRUB boots by something that this cannot judge."""
    if not host.file("/usr/sbin/update-grub").exists:
        pytest.skip("not applicable: no GRUB on this node; the image's owner says how it boots")
    lines = host.file("/boot/grub/grub.cfg").content_string.splitlines()
    return [line.split() for line in lines if line.split()[:1] == ["linux"]]


@pytest.mark.control("STK-KRN-040")
def test_the_running_kernel_was_told_to_audit_and_confine_from_its_start(host, own_kernel):
    words = set(host.file("/proc/cmdline").content_string.split())
    assert WORDS - words == set()
    assert [int(word.removeprefix(LIMIT)) >= 8192 for word in words if word.startswith(LIMIT)] == [True]


@pytest.mark.control("STK-KRN-041")
def test_every_entry_of_the_menu_says_the_same(loader):
    assert loader, "no entry boots a kernel"
    assert [entry for entry in loader if WORDS - set(entry)] == []


@pytest.mark.control("STK-KRN-042")
def test_only_root_reads_and_writes_the_menu_and_the_kernels_symbols(host, loader):
    menu = host.file("/boot/grub/grub.cfg")
    assert (menu.user, menu.group, oct(menu.mode)) == ("root", "root", "0o600")
    assert host.check_output("find /boot -maxdepth 1 -name 'System.map*' -perm /0177") == ""


@pytest.mark.control("STK-KRN-043")
def test_programs_are_confined_as_soon_as_a_kernel_of_its_own_is_booted(host):
    """Package, PAM module and service are there also where the host's kernel decides about the rest."""
    state = host.check_output(
        "dpkg-query --show --showformat '${Package}=${db:Status-Status} ' apparmor libpam-apparmor"
    )
    assert state.split() == ["apparmor=installed", "libpam-apparmor=installed"]
    assert host.run("systemctl is-enabled apparmor.service").stdout.strip() == "enabled"


@pytest.mark.control("STK-KRN-044")
def test_every_loaded_profile_enforces(host, own_kernel):
    profiles = json.loads(host.check_output("aa-status --json"))["profiles"]
    assert "enforce" in profiles.values(), "nothing is confined"
    assert [name for name, mode in profiles.items() if mode == "complain"] == []
