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


def newest_record(host):
    """The evidence of the newest patching run on the node."""
    newest = host.run("ls /var/lib/stockade/patching/*.json | sort | tail -n 1").stdout.strip()
    assert newest, "no patching run has left evidence"
    return json.loads(host.file(newest).content_string)


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
    updates = [line for line in pending if line.startswith("Inst ")]
    assert [line for line in updates if re.search("Debian-Security|Ubuntu:.*-security", line)] == []


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
    assert [f for f in fields if not security(f) or "site" in f] == []


def security(fields):
    """Whether a pattern can fit a distribution's security updates only."""
    ubuntu = fields.get("archive", fields.get("a", "")).endswith("-security")
    origin = fields.get("origin", fields.get("o"))
    return fields.get("label", fields.get("l")) == "Debian-Security" or (origin == "Ubuntu" and ubuntu)


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
    # Each node has its own moment in the window: it may be later next week than the present is in this one.
    span = datetime.strptime(end.replace("24:00", "23:59"), "%H:%M") - datetime.strptime(begin, "%H:%M")
    assert planned - datetime.now(zone) <= timedelta(days=7) + span, "the next run is more than a week away"


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
    stated = json.loads(configuration.content_string)["holds"]
    expired = [hold["name"] for hold in stated if date.fromisoformat(hold["until"]) < today]
    assert expired == [], "the declaration of holds has to be renewed or withdrawn"
    rolled_back = host.run("cat /var/lib/stockade/rolled-back.json")
    stated += json.loads(rolled_back.stdout) if rolled_back.rc == 0 else []
    declared = {
        hold["name"]
        for hold in stated
        if hold["reason"].strip() and date.fromisoformat(hold["until"]) >= today
    }
    assert set(host.check_output("apt-mark showhold").split()) - declared == set()


@pytest.mark.control("STK-PAT-011")
def test_the_last_run_left_whole_evidence_that_agrees_with_the_node(host):
    record = newest_record(host)
    assert record["schema"] == "stockade/patching/1"
    assert record["outcome"] in ("patched", "unchanged", "rolled back"), record["problem"]
    assert record["before"] and record["after"], "versions before or after are missing"
    changed = {
        n for n in record["before"] | record["after"] if record["before"].get(n) != record["after"].get(n)
    }
    assert changed == {package["name"] for package in record["packages"]}
    shown = host.check_output("dpkg-query -W -f '${Package}:${Architecture} ${Version}\\n'")
    now = dict(line.split(" ", 1) for line in shown.splitlines() if " " in line)
    assert {n: v for n, v in record["after"].items() if n in changed and now.get(n) != v} == {}
    assert [
        package["name"] for package in record["packages"] if package["changelog"] not in ("read", "not read")
    ] == []


@pytest.mark.control("STK-PAT-012")
def test_no_package_is_half_way(host):
    shown = host.check_output("dpkg-query -W -f '${db:Status-Abbrev} ${Package}\\n'").splitlines()
    assert len(shown) > 50, "dpkg knows hardly any package"
    assert [line for line in shown if line[1:3] not in ("i ", "n ", "c ")] == []


@pytest.mark.control("STK-PAT-013")
def test_every_update_of_the_last_run_came_from_a_declared_source(host, apt):
    record = newest_record(host)
    patterns = [v for v in apt.get("Unattended-Upgrade::Origins-Pattern", []) if v]
    fields = [dict(field.split("=", 1) for field in pattern.split(",")) for pattern in patterns]
    allowed = {f"{f.get('origin', '')}:{f.get('label', '')}:" for f in fields}
    security = record["mode"] == "security"
    wrong = [
        package["name"]
        for package in record["packages"]
        if package["origin"] == "unknown"
        or (security and package["before"] and not any(a in f"{package['origin']}" for a in allowed))
    ]
    assert wrong == []


@pytest.mark.control("STK-PAT-014")
def test_the_last_run_kept_the_window_or_says_why_not(host, region):
    window = newest_record(host)["window"]
    assert {"window": window["window"], "timezone": window["timezone"]} == {
        key: region["patching"][key] for key in ("window", "timezone")
    }
    assert window["kept"] is True or (window["forced"] or "").strip(), (
        "outside of the window without a reason"
    )


@pytest.mark.control("STK-PAT-015")
def test_the_running_kernel_is_the_installed_one(host):
    if host.run("systemd-detect-virt --container --quiet").rc == 0:
        pytest.skip("not applicable: in a container the kernel belongs to the host; the node installs none")
    running = host.check_output("uname -r")
    flavour = running.rsplit("-", 1)[-1]
    newest = host.check_output(f"ls /boot/vmlinuz-*-{flavour} | sed s,/boot/vmlinuz-,, | sort -V | tail -n 1")
    assert running == newest
