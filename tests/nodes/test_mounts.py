"""Mounts: what others write to holds no devices, no setuid programs and mostly no programs at all."""

from __future__ import annotations

import pytest

PROGRAM = """
f=$(mktemp {place}/stockade-verify.XXXXXX) && cp /bin/true $f && chmod 755 $f; $f; c=$?; rm -f $f; exit $c
"""
OWN = ("/var", "/var/log", "/var/log/audit", "/home")
CLOSED = {"nodev", "nosuid", "noexec"}


@pytest.fixture(scope="module")
def mounts(host):
    """Mount point to its options; the last mount of a place is the one that counts."""
    rows = [line.split() for line in host.file("/proc/mounts").content_string.splitlines()]
    return {row[1]: set(row[3].split(",")) for row in rows}


@pytest.mark.control("STK-SVC-006")
def test_no_program_runs_from_tmp(host, mounts):
    assert CLOSED - mounts.get("/tmp", set()) == set()
    assert host.run(PROGRAM.format(place="/tmp")).rc == 126, "a program ran from /tmp"


@pytest.mark.control("STK-SVC-007")
def test_no_program_runs_from_shared_memory(mounts):
    assert CLOSED - mounts.get("/dev/shm", set()) == set()


@pytest.mark.control("STK-SVC-020")
def test_no_program_runs_from_the_temporary_directory_that_survives_a_reboot(host, mounts):
    assert CLOSED - mounts.get("/var/tmp", set()) == set()
    assert host.run(PROGRAM.format(place="/var/tmp")).rc == 126, "a program ran from /var/tmp"


@pytest.mark.control("STK-SVC-021")
def test_homes_hold_no_devices_and_no_setuid_programs(mounts):
    assert {"nodev", "nosuid"} - mounts.get("/home", set()) == set()


@pytest.mark.control("STK-SVC-023")
def test_no_program_runs_from_a_home(host, mounts, node):
    if node.get("kind") == "container_host":
        pytest.skip("not applicable: the images of containers without root lie in homes")
    assert "noexec" in mounts.get("/home", set())
    assert host.run(PROGRAM.format(place="/home")).rc == 126, "a program ran from /home"


@pytest.mark.control("STK-SVC-022")
def test_what_fills_up_has_a_filesystem_of_its_own(host, mounts):
    """Logs that fill the disk must not stop the system. A directory mounted onto itself is not separate."""
    if host.run("systemd-detect-virt --container --quiet").rc == 0:
        pytest.skip("not applicable: a container has the filesystem that its host gives it")
    root = host.check_output("stat --format %d /")
    together = [place for place in OWN if host.check_output(f"stat --format %d {place}") == root]
    assert together == [], "one filesystem with /; a partition is a matter of the image"
    log = mounts.get("/var/log", set())
    assert CLOSED - log == set() and {"nodev", "nosuid"} - mounts.get("/var", set()) == set()


@pytest.mark.control("STK-SVC-024")
def test_the_table_of_filesystems_says_the_options_as_well(host):
    """They hold from the first moment of a boot on, and whoever mounts a place again mounts it closed."""
    rows = [line.split() for line in host.file("/etc/fstab").content_string.splitlines()]
    named = {row[1]: set(row[3].split(",")) for row in rows if len(row) > 3 and not row[0].startswith("#")}
    own = {place: {"nodev", "nosuid"} for place in (*OWN, "/opt", "/srv")}
    own |= dict.fromkeys(("/var/log", "/var/log/audit", "/var/tmp", "/boot", "/boot/efi"), CLOSED)
    found = {place: named[place] for place in own if place in named and "bind" not in named[place]}
    if not found:
        pytest.skip("not applicable: the table names no filesystem of its own for them")
    open_ones = {place: own[place] - options for place, options in found.items() if own[place] - options}
    assert open_ones == {}
