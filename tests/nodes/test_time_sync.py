"""Time: the clock follows exactly the declared servers."""

from __future__ import annotations

import re

import pytest


@pytest.fixture(scope="module")
def sources(host):
    """chronyd's sources, one row each: mode, state, name, stratum, poll, reach …; none if silent."""
    answer = host.run("chronyc -c -N sources")
    if answer.rc != 0:
        return []
    return [line.split(",") for line in answer.stdout.splitlines() if line]


@pytest.mark.control("STK-TIM-001")
def test_exactly_the_declared_servers_are_asked(sources, region):
    declared = {s["name"] if s.get("nts") else s["address"] for s in region["services"]["time_servers"]}
    assert {row[2] for row in sources} == declared
    assert {row[0] for row in sources} == {"^"}, "a source that is neither a server nor declared"


@pytest.mark.control("STK-TIM-002")
def test_the_clock_follows_a_declared_server(host):
    """Waits a few polls after a restart; a server that never answers is a failure."""
    waited = host.run("timeout 28 chronyc waitsync 25 0 0 1")
    assert waited.rc == 0, f"no declared server was selected: {waited.stdout.splitlines()[-1:]}"


@pytest.mark.control("STK-TIM-003")
def test_no_second_time_service_runs(host):
    units = "systemd-timesyncd ntp ntpsec ntpd openntpd"
    states = dict(zip(units.split(), host.run(f"systemctl is-active {units}").stdout.split(), strict=True))
    assert {name for name, state in states.items() if state not in ("inactive", "unknown")} == set()
    assert host.run("systemctl is-active chrony; systemctl is-enabled chrony").stdout.split() == [
        "active",
        "enabled",
    ]


@pytest.mark.control("STK-TIM-004")
def test_the_time_service_runs_without_root(host):
    users = host.run("ps -C chronyd -o user=").stdout.split()
    assert users, "chronyd does not run"
    assert set(users) == {"_chrony"}


@pytest.mark.control("STK-TIM-005")
def test_the_time_service_serves_nobody(host):
    """Neither time (123) nor remote management (323) is offered on any address."""
    assert host.run("ps -C chronyd -o pid=").stdout.split(), "chronyd does not run"
    listening = host.check_output("ss -H -u -l -n")
    assert re.findall(r":(?:123|323)\s", listening) == []
