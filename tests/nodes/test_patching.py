"""Patching: what may be installed, when, and that nothing waits."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

IN_UTC = "TZ=UTC LC_ALL=C.UTF-8"
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
# apt with state, cache and sources of its own, so that a check never touches the node's.
UNSIGNED = r"""
d=$(mktemp --directory /var/tmp/stockade-verify.XXXXXX) && trap 'rm -rf "$d"' EXIT &&
mkdir -p "$d/lists/partial" "$d/cache/archives/partial" "$d/repo" && : > "$d/repo/Packages" &&
printf 'SHA256:\n %s 0 Packages\n' "$(sha256sum < "$d/repo/Packages" | cut -c1-64)" > "$d/repo/Release" &&
echo "deb file:$d/repo ./" > "$d/sources.list" &&
apt-get -o Dir::Etc::SourceList="$d/sources.list" -o Dir::Etc::SourceParts=/dev/null \
  -o Dir::State::Lists="$d/lists" -o Dir::Cache="$d/cache" \
  -o APT::Update::Post-Invoke-Success::=true -o APT::Sandbox::User=root update
"""


@pytest.fixture(scope="module")
def apt(host):
    """apt's own view of its configuration: {option: [values]}."""
    found: dict[str, list[str]] = {}
    for line in host.check_output("apt-config dump").splitlines():
        key, _, value = line.partition(" ")
        found.setdefault(key.rstrip(":"), []).append(value.strip().strip(";").strip('"'))
    return found


@pytest.fixture(scope="module")
def sources(host):
    """Every source line that counts, whatever its file and format."""
    text = host.run("cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null")
    return [
        line.strip()
        for line in text.stdout.splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]


@pytest.mark.control("STK-PAT-001")
def test_an_unsigned_source_is_refused(host):
    """A real source without a signature, offered to the node's own apt."""
    refused = host.run(UNSIGNED)
    assert refused.rc == 100, refused.stdout + refused.stderr
    assert "is not signed" in refused.stdout + refused.stderr


@pytest.mark.control("STK-PAT-002")
def test_no_source_is_exempt_from_its_signature(apt, sources):
    assert sources, "the node has no source of packages at all"
    loose = [
        s for s in sources if re.search(r"(?i)trusted\s*[=:]\s*yes|allow-(insecure|weak)\s*[=:]\s*yes", s)
    ]
    assert loose == []
    insecure = ("AllowInsecureRepositories", "AllowWeakRepositories", "AllowDowngradeToInsecureRepositories")
    assert {key: apt.get(f"Acquire::{key}") for key in insecure} == {key: ["false"] for key in insecure}
    assert apt.get("APT::Get::AllowUnauthenticated") == ["false"]


@pytest.mark.control("STK-PAT-003")
def test_packages_come_over_the_declared_proxy_only(apt, sources, region):
    proxy = region["services"]["package_proxy"]
    declared = f"http://{proxy['address']}:{proxy['port']}"
    ways = {key: apt.get(f"Acquire::{key}::Proxy", ["none"])[-1].rstrip("/") for key in ("http", "https")}
    assert ways == {"http": declared, "https": declared}
    # A proxy named for one host, DIRECT included, would be a way around the declared one.
    assert [key for key in apt if re.match(r"Acquire::https?::Proxy::", key)] == []
    assert [
        source for source in sources if not re.search(r"\bhttps?://", source) and source.startswith("deb")
    ] == []


@pytest.mark.control("STK-PAT-004")
def test_no_security_update_is_pending(host):
    """Judged against an index that is at most two days old; an older one says nothing."""
    age = host.run("find /var/lib/apt/periodic/update-success-stamp -mmin -2880")
    assert age.stdout.strip(), "the package index is older than two days, or was never fetched"
    pending = host.check_output("apt-get -s -o Debug::NoLocking=true dist-upgrade").splitlines()
    assert [line for line in pending if line.startswith("Inst ") and "Debian-Security" in line] == []


@pytest.mark.control("STK-PAT-005")
def test_security_updates_are_installed_unattended(host, apt):
    assert apt.get("APT::Periodic::Update-Package-Lists", [])[-1:] == ["1"]
    assert apt.get("APT::Periodic::Unattended-Upgrade", [])[-1:] == ["1"]
    timers = host.run("systemctl is-active apt-daily.timer apt-daily-upgrade.timer")
    assert timers.stdout.split() == ["active", "active"]
    assert host.run("command -v unattended-upgrade").rc == 0, "unattended-upgrades is not installed"


@pytest.mark.control("STK-PAT-006")
def test_unattended_updates_are_chosen_by_origin_and_label(apt):
    """Only the distribution's security label; never by host name, which a proxy or a mirror can take over."""
    patterns = [v for v in apt.get("Unattended-Upgrade::Origins-Pattern", []) if v]
    patterns += [v for v in apt.get("Unattended-Upgrade::Allowed-Origins", []) if v]
    assert patterns
    fields = [dict(field.split("=", 1) for field in pattern.split(",")) for pattern in patterns]
    assert [f for f in fields if f.get("label", f.get("l")) != "Debian-Security" or "site" in f] == []


@pytest.mark.control("STK-PAT-007")
def test_the_next_unattended_run_lies_in_the_window(host, region):
    window, zone = region["patching"]["window"], ZoneInfo(region["patching"]["timezone"])
    shown = host.run(
        f"{IN_UTC} systemctl show apt-daily-upgrade.timer --property NextElapseUSecRealtime --value"
    )
    assert shown.stdout.strip().endswith(" UTC"), "no run is planned"
    planned = (
        datetime.strptime(shown.stdout.strip(), "%a %Y-%m-%d %H:%M:%S %Z")
        .replace(tzinfo=UTC)
        .astimezone(zone)
    )
    day, times = window.split(" ")
    begin, end = times.split("-")
    assert DAYS[planned.weekday()] == day
    assert begin <= planned.strftime("%H:%M") < end
    assert planned - datetime.now(zone) <= timedelta(days=7), "the next run is more than a week away"


@pytest.mark.control("STK-PAT-008")
def test_a_reboot_happens_in_the_window_only(host, apt, region):
    """unattended-upgrades must not reboot by itself; the program that does knows the region's window."""
    assert apt.get("Unattended-Upgrade::Automatic-Reboot", ["true"])[-1] == "false"
    after = host.check_output("systemctl show apt-daily-upgrade.service --property ExecStartPost")
    assert "stockade-patching reboot" in after
    known = json.loads(host.file("/etc/stockade/patching.json").content_string)
    assert {key: known[key] for key in ("window", "timezone", "reboot")} == region["patching"]


@pytest.mark.control("STK-PAT-009")
def test_no_reboot_is_pending(host):
    """Asks the node to look again, so that a stale record cannot hide a reason."""
    answer = host.run("stockade-patching reason")
    assert answer.rc == 0, answer.stderr
    assert json.loads(answer.stdout)["reason"] is None


@pytest.mark.control("STK-PAT-010")
def test_every_hold_is_declared_and_has_not_expired(host, region):
    configuration = host.file("/etc/stockade/patching.json")
    assert configuration.exists, "no declaration of holds on the node"
    today = datetime.now(ZoneInfo(region["patching"]["timezone"])).date()
    declared = {
        hold["name"]
        for hold in json.loads(configuration.content_string)["holds"]
        if hold["reason"].strip() and date.fromisoformat(hold["until"]) >= today
    }
    assert set(host.check_output("apt-mark showhold").split()) - declared == set()
