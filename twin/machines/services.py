"""What stands in the service centre: package proxy, time server and collector of logs that the settings name.

The package cache (apt-cacher-ng) is one per cache directory, shared by all twins of this machine, because two
of them on one directory would spoil it. It runs where the mirrors can be reached and listens on loopback;
each twin has a relay whose listening socket stands in its own service centre. The time server is chronyd of
the node image; it serves this machine's clock and never sets it.
"""

from __future__ import annotations

import contextlib
import random
import shlex
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fault import Fault
from twin.ledger import TOKEN, Ledger
from twin.machines import collector, image
from twin.machines.wires import Wires, served_addresses
from twin.sweeping import holding

RELAY = Path("/lib/systemd/systemd-socket-proxyd")
INDEX_SECONDS = 3600
CACHE_PROGRAM = Path("/usr/sbin/apt-cacher-ng")


def start(ledger: Ledger, region: Mapping[str, Any], wires: Wires, root: Path) -> None:
    """Start what does not run yet. `root` is the node image, which has chronyd. Raises Fault."""
    proxy = region["services"]["package_proxy"]
    namespace = wires.site(site_of(region, proxy["address"]))
    if ledger.running("package relay") is None:
        pid, port = _package_cache(ledger)
        command = ["nsenter", f"--net=/run/netns/{namespace}", "systemd-socket-activate"]
        command += ["-l", f"{proxy['address']}:{proxy['port']}"]
        # At the first request it clears its environment, and without the token no sweep would know it.
        command += ["-E", TOKEN]
        # The cache's own namespace, for that is where its loopback is.
        command += ["nsenter", f"--net=/proc/{pid}/ns/net", str(RELAY), f"127.0.0.1:{port}"]
        ledger.spawn("package relay", command, log=ledger.home / "package-relay.log", grace=0)
    for server in region["services"]["time_servers"]:
        name = f"time {server['address']}"
        if ledger.running(name) is None:
            where = wires.site(site_of(region, server["address"]))
            command = ["unshare", "--mount", "--propagation", "private", "sh", "-c"]
            command.append(_time_script(root, where, server["address"]))
            ledger.spawn(name, command, log=ledger.home / "time.log", grace=0)
    if collects := region["services"].get("log_collector"):
        where = wires.site(site_of(region, collects["address"]))
        collector.start(ledger, collects, where, [str(node["name"]) for node in region["nodes"]])


def site_of(region: Mapping[str, Any], address: str) -> str:
    """The site in whose range a shared service stands. Raises Fault when there is none."""
    for name in region["sites"]:
        if address in served_addresses(region, name):
            return str(name)
    rule = "a shared service stands in the range of a site"
    raise Fault(f"service at {address}", rule, "correct `services` or `sites` in the stack file")


def _time_script(root: Path, namespace: str, address: str) -> str:
    """Start chronyd from the image; its run directory is in memory and in this mount namespace only."""
    run = shlex.quote(str(root / "run"))
    lines = [
        "local stratum 8",
        "allow all",
        f"bindaddress {address}",
        "cmdport 0",
        "user root",
        "pidfile /run/pid",
    ]
    settings = "\\n".join(lines)
    return (
        f"mount -t tmpfs tmpfs {run} && printf '{settings}\\n' > {run}/chrony.conf"
        f" && exec nsenter --net=/run/netns/{namespace} chroot {shlex.quote(str(root))}"
        " /usr/sbin/chronyd -d -x -f /run/chrony.conf"
    )


def package_cache(ledger: Ledger) -> str:
    """Where the shared package cache listens, as a URL of this machine's loopback; started if need be."""
    return f"http://127.0.0.1:{_package_cache(ledger)[1]}"


def _package_cache(ledger: Ledger) -> tuple[int, int]:
    """Pid and loopback port of the shared package cache, started now if it does not run."""
    if not CACHE_PROGRAM.exists():
        rule = "nodes get packages through a caching proxy, as in a region"
        raise Fault(
            f"{CACHE_PROGRAM} is missing", rule, "`./bootstrap machine`, or apt-get install apt-cacher-ng"
        )
    shared = Ledger(image.cache() / "packages")
    lease = shared.home / "leases" / ledger.prefix
    with holding(shared.home):
        ledger.record("lease", str(lease))
        lease.parent.mkdir(exist_ok=True)
        lease.write_text(f"{ledger.path}\n")
        _forget_old_indices(shared.home / "cache")
        running = shared.running("package cache")
        if running is not None:
            return running.pid, int((shared.home / "port").read_text())
        for _ in range(5):
            port = random.randrange(20000, 32000)  # noqa: S311  # apt-cacher-ng takes no port above 32767
            if (pid := _start_cache(shared, port)) is not None:
                return pid, port
    rule = "the package cache listens on a free port of loopback"
    raise Fault(
        f"apt-cacher-ng does not start: see {shared.home / 'log'}", rule, "make ports 20000-32000 free"
    )


def _forget_old_indices(cache: Path) -> None:
    """Let the cache fetch a repository's index anew when the one it holds is older than an hour."""
    for index in cache.glob("*/**/dists/**/*Release*"):
        with contextlib.suppress(FileNotFoundError):  # another twin may be doing the same
            if time.time() - index.stat().st_mtime > INDEX_SECONDS:
                index.unlink()


def _start_cache(shared: Ledger, port: int) -> int | None:
    """Start the cache on a port; None when it cannot have it."""
    with socket.socket() as taken:
        if taken.connect_ex(("127.0.0.1", port)) == 0:
            return None  # somebody else's program would answer for the cache
    settings = {
        "CacheDir": shared.home / "cache",
        "LogDir": shared.home / "log",
        "Port": port,
        "BindAddress": "127.0.0.1",
        "ForeGround": 1,
        "PidFile": shared.home / "pid",
        "SupportDir": "/usr/lib/apt-cacher-ng",
        "PassThroughPattern": "^$",  # no tunnels: this proxy serves packages and nothing else
        "ReportPage": "",
        "VfileUseRangeOps": 0,
        # Two nodes that ask for an index in the second it is revalidated make apt-cacher-ng 3.7 leave one of
        # them without an answer for ever (seen three times). So an index counts as a solid file, fetched once
        # and shared while it downloads, and `_forget_old_indices` throws it away in time.
        "SPfilePatternEx": "/(In)?Release(\\.gpg)?$",
    }
    # No Remap lines, unlike Debian's own file: they lead to mirrors that apt here was never told of.
    proxy = image.proxies().get("http")
    if proxy:
        settings["Proxy"] = proxy
    for name in ("cache", "log", "conf"):
        (shared.home / name).mkdir(parents=True, exist_ok=True)
    text = "".join(f"{key}: {value}\n" for key, value in settings.items())
    (shared.home / "conf" / "acng.conf").write_text(text)
    (shared.home / "port").write_text(str(port))
    command = [str(CACHE_PROGRAM), "-c", str(shared.home / "conf")]
    process = shared.spawn("package cache", command, log=shared.home / "log" / "console")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process.pid
        time.sleep(0.05)
    process.kill()
    process.wait()
    return None
