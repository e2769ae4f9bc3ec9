"""Kernel: the running parameters, the modules that may be loaded, the core dumps that may be written."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

HOSTS_KERNEL = (
    "not applicable: in a container {key} belongs to the host's kernel; the value is staged for an image "
    "that boots its own"
)

# Parameters of the network, which every node has for itself, also in a container.
OWN = [
    ("STK-KRN-001", {"net.ipv4.conf.*.accept_redirects": "0", "net.ipv4.conf.*.secure_redirects": "0"}),
    ("STK-KRN-002", {"net.ipv4.conf.*.send_redirects": "0"}),
    ("STK-KRN-003", {"net.ipv[46].conf.*.accept_source_route": "0"}),
    ("STK-KRN-004", {"net.ipv4.conf.*.rp_filter": "1"}),
    ("STK-KRN-005", {"net.ipv4.conf.*.log_martians": "1"}),
    (
        "STK-KRN-006",
        {"net.ipv4.icmp_echo_ignore_broadcasts": "1", "net.ipv4.icmp_ignore_bogus_error_responses": "1"},
    ),
    ("STK-KRN-007", {"net.ipv4.tcp_syncookies": "1"}),
    ("STK-KRN-008", {"net.ipv4.ip_forward": "0", "net.ipv6.conf.*.forwarding": "0"}),
    ("STK-KRN-009", {"net.ipv6.conf.*.accept_redirects": "0"}),
    ("STK-KRN-010", {"net.ipv6.conf.*.accept_ra": "0", "net.ipv6.conf.*.autoconf": "0"}),
    ("STK-KRN-011", {"net.ipv4.conf.*.arp_ignore": "[12]", "net.ipv4.conf.*.arp_announce": "2"}),
    ("STK-KRN-012", {"net.ipv4.tcp_rfc1337": "1"}),
    ("STK-KRN-030", {"net.ipv4.conf.*.accept_local": "0", "net.ipv4.conf.*.route_localnet": "0"}),
    ("STK-KRN-031", {"net.ipv4.conf.*.drop_gratuitous_arp": "1"}),
    (
        "STK-KRN-032",
        {
            "net.ipv6.conf.*.accept_ra_defrtr": "0",
            "net.ipv6.conf.*.accept_ra_pinfo": "0",
            "net.ipv6.conf.*.accept_ra_rtr_pref": "0",
            "net.ipv6.conf.*.router_solicitations": "0",
            "net.ipv6.conf.*.max_addresses": "1",
        },
    ),
]

# Parameters of the kernel as a whole.
WHOLE = [
    ("STK-KRN-013", {"kernel.randomize_va_space": "2"}),
    ("STK-KRN-014", {"kernel.kptr_restrict": "2"}),
    ("STK-KRN-015", {"kernel.dmesg_restrict": "1"}),
    ("STK-KRN-016", {"kernel.yama.ptrace_scope": "[123]"}),
    ("STK-KRN-017", {"kernel.unprivileged_bpf_disabled": "[12]", "net.core.bpf_jit_harden": "2"}),
    ("STK-KRN-018", {"kernel.sysrq": "0"}),
    ("STK-KRN-019", {"fs.suid_dumpable": "0"}),
    (
        "STK-KRN-020",
        {
            "fs.protected_hardlinks": "1",
            "fs.protected_symlinks": "1",
            "fs.protected_fifos": "2",
            "fs.protected_regular": "2",
        },
    ),
    ("STK-KRN-021", {"kernel.kexec_load_disabled": "1"}),
    ("STK-KRN-022", {"kernel.perf_event_paranoid": "[34]"}),
    ("STK-KRN-023", {"dev.tty.ldisc_autoload": "0", "vm.mmap_min_addr": "65536"}),
    ("STK-KRN-033", {"kernel.unprivileged_userns_clone": "0"}),
    (
        "STK-KRN-034",
        {"kernel.perf_event_max_sample_rate": "1", "kernel.perf_cpu_time_max_percent": "1"},
    ),
]

# What a kind of server or a level of hardening leaves open.
FORWARDING = {"net.ipv4.ip_forward", "net.ipv6.conf.*.forwarding"}
NAMESPACES = {"kernel.unprivileged_userns_clone"}

DENIED_FILESYSTEMS = {"cramfs", "freevxfs", "hfs", "hfsplus", "jffs2"}
DENIED_AT_LEVEL_2 = {"overlay", "squashfs", "udf"}
DENIED_MODULES = {"dccp", "sctp", "rds", "tipc", "usb_storage", "firewire_core"}


def cases(table):
    """One case per control, named and marked by it."""
    return [pytest.param(wanted, id=id_, marks=pytest.mark.control(id_)) for id_, wanted in table]


@pytest.fixture(scope="module")
def running(host):
    """Every parameter of the running kernel that the node can read, in one look-up."""
    lines = host.run("sysctl --all 2>/dev/null").stdout.splitlines()
    return {key.strip(): value.strip() for key, _, value in (line.partition(" = ") for line in lines)}


@pytest.fixture(scope="module")
def next_boot(host):
    """What systemd-sysctl would set at the next boot: the last word of all files, in its order."""
    lines = host.run("systemd-analyze cat-config sysctl.d").stdout.splitlines()
    pairs = (line.lstrip("-").partition("=") for line in lines if "=" in line and line[:1] not in "#;")
    return {key.strip().replace("/", "."): " ".join(value.split()) for key, _, value in pairs}


@pytest.fixture(scope="module")
def container(host):
    """Whether the kernel belongs to somebody else."""
    return host.run("systemd-detect-virt --container --quiet").rc == 0


def deviations(values, wanted):
    """Parameters that are not as wanted; one that is not there at all is a deviation too."""
    found: dict[str, str] = {}
    for pattern, value in wanted.items():
        matching = {key: values[key] for key in values if fnmatchcase(key, pattern)}
        found |= {key: is_now for key, is_now in matching.items() if not fnmatchcase(is_now, value)}
        if not matching:
            found[pattern] = "this kernel has no such parameter"
    return found


@pytest.mark.parametrize("wanted", cases(OWN))
def test_network_parameters_are_in_force_on_every_interface(running, wanted, node):
    if wanted.keys() & FORWARDING and node.get("kind") == "container_host":
        pytest.skip("not applicable: a container host forwards its containers' packets")
    assert deviations(running, wanted) == {}


@pytest.mark.parametrize("wanted", cases(WHOLE))
def test_kernel_parameters_are_in_force(running, container, wanted, node):
    if wanted.keys() & NAMESPACES and node.get("kind") == "container_host":
        pytest.skip("not applicable: containers without root make user namespaces")
    if container:
        pytest.skip(HOSTS_KERNEL.format(key=", ".join(wanted)))
    assert deviations(running, wanted) == {}


@pytest.mark.control("STK-KRN-035")
def test_a_kernel_that_stumbled_does_not_go_on(running, next_boot, container):
    """A kernel after a fault in itself works on memory that nobody vouches for: better to boot anew."""
    assert (next_boot.get("kernel.panic_on_oops"), next_boot.get("kernel.panic")) == ("1", "60")
    if not container:
        assert (running["kernel.panic_on_oops"], running["kernel.panic"]) == ("1", "60")


@pytest.mark.control("STK-KRN-024")
def test_a_reboot_keeps_every_parameter(next_boot, node):
    """A value that is right now and wrong after the next boot is found by nobody until then."""
    every = {key: value for _, wanted in OWN + WHOLE for key, value in wanted.items()}
    if node.get("kind") == "container_host":
        every = {key: value for key, value in every.items() if key not in (*FORWARDING, *NAMESPACES)}
    if node.get("profile") == "cis-l1":
        every = {key: value for key, value in every.items() if key not in NAMESPACES}
    literal = {key.replace("ipv[46]", family): v for key, v in every.items() for family in ("ipv4", "ipv6")}
    wrong = {k: next_boot.get(k) for k, v in literal.items() if not fnmatchcase(next_boot.get(k, ""), v)}
    assert wrong == {}


@pytest.fixture(scope="module")
def denied(host):
    """Modules whose loading modprobe replaces by a failure, by modprobe's own reading of its files."""
    lines = host.run("modprobe --showconfig").stdout.splitlines()
    words = [line.split() for line in lines]
    refused = ("/bin/false", "/usr/bin/false", "/bin/true", "/usr/bin/true")
    return {w[1].replace("-", "_") for w in words if len(w) == 3 and w[0] == "install" and w[2] in refused}


@pytest.fixture(scope="module")
def in_use(host):
    """Filesystem types that are mounted or in fstab."""
    return set(host.run("awk '$1 !~ /^#/ {print $3}' /proc/mounts /etc/fstab 2>/dev/null").stdout.split())


@pytest.mark.control("STK-KRN-025")
def test_filesystems_that_no_node_mounts_cannot_be_loaded(denied, in_use):
    assert DENIED_FILESYSTEMS - in_use - denied == set()


@pytest.mark.control("STK-KRN-036")
def test_filesystems_of_images_cannot_be_loaded_unless_the_node_uses_them(denied, in_use, node):
    kept = {"overlay"} if node.get("kind") == "container_host" else set()
    assert DENIED_AT_LEVEL_2 - kept - in_use - denied == set()


@pytest.mark.control("STK-KRN-026")
def test_protocols_and_drivers_that_no_node_uses_cannot_be_loaded(host, denied, container):
    assert DENIED_MODULES - denied == set()
    if not container:
        loaded = {line.split()[0] for line in host.file("/proc/modules").content_string.splitlines()}
        assert loaded & DENIED_MODULES == set()


@pytest.mark.control("STK-KRN-027")
def test_a_filesystem_in_use_stays_loadable(host, denied, in_use):
    """A machine that boots by EFI mounts vfat: to deny it means never to boot again."""
    efi = host.run("test -d /sys/firmware/efi").rc == 0
    assert denied, "no module is denied at all, so nothing was decided from what is in use"
    assert (in_use | ({"vfat"} if efi else set())) & denied == set()


@pytest.mark.control("STK-KRN-028")
def test_a_login_leaves_no_core_dump(host):
    """The limit that a new session gets from PAM, not what a file says."""
    limits = host.run("su --shell /bin/sh nobody --command 'ulimit -Hc'; su --command 'ulimit -Hc'")
    assert limits.stdout.split() == ["0", "0"], limits.stderr


@pytest.mark.control("STK-KRN-029")
def test_a_service_leaves_no_core_dump(host):
    assert host.check_output("systemctl show --property DefaultLimitCORE --value") == "0"
