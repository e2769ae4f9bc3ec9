"""Generated settings for the property tests of the intent: regions of any layout, with rules of any kind."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

import settings
from tests.unit.settings_sample import ACCEPTED, raw

ROLES = ("edge", "app", "batch", "archive", "vault")
PORTS = (443, 8443, 9443)
_SOURCES = ("198.51.100.100/32", "203.0.113.128/25", "2001:db8:77::/64")
_customers = st.dictionaries(
    st.sampled_from(("acme", "initech")),
    st.sampled_from(_SOURCES).map(
        lambda cidr: {
            "sources": {"office": {"cidr": cidr, "change": "CHG-7", "until": "2027-06-30"}},
            "classes": ["records"],
            "partition": "prefix",
        }
    ),
    max_size=1,  # two customers' sources never overlap
)


@st.composite
def regions(draw: Any) -> settings.Settings:
    """Settings of a generated region. Rules that the settings refuse are left out, one at a time."""
    data = raw()
    letters = draw(st.lists(st.sampled_from("abcdefgh"), min_size=3, max_size=4, unique=True))
    data["zones"] = [f"ap-south-1{letter}" for letter in letters]
    data["vpcs"] = {name: _vpc(draw, number) for name, number in (("customer", 20), ("platform", 21))}
    names = draw(st.lists(st.sampled_from(ROLES), min_size=2, max_size=4, unique=True))
    data["server_roles"] = {name: _role(draw, data["vpcs"]) for name in names}
    data["data_classes"]["records"] |= {"writers": names[:1], "readers": []}
    data["customers"], data["load_balancers"] = draw(_customers), {}
    for name, number in (("acme", 100), ("globex", 104)):
        if draw(st.booleans()):
            data["sites"][name] = _customer(draw, number)
    if draw(st.booleans()):
        data["sites"]["noc-mumbai"]["ranges"].append("2001:db8:a::/48")
    everyone = list(names)
    data["firewall"] = [
        _rule(["noc", "service_centre"], everyone, "tcp", 22),
        _rule(everyone, ["package_proxy"], "tcp", 3142),
        _rule(everyone, ["time_servers"], "udp", 123),
        _rule(everyone, ["log_collector"], "tcp", 19532),
        # who writes data reaches S3
        _rule(names[:1], ["aws_endpoints"], "tcp", 443),
    ]
    if any("public" in vpc["tiers"] for vpc in data["vpcs"].values()) and draw(st.booleans()):
        _add_load_balancer(draw, data)
    good = settings.parse(data)
    if (callers := _calling(data)) and draw(st.booleans()):
        good = _with_rule(data, _rule([draw(st.sampled_from(callers))], ["internet"], "tcp", 443), good)
    for _ in range(draw(st.integers(1, 6))):
        good = _with_rule(data, _any_rule(draw, [*names, *data["load_balancers"]]), good)
    return good


def _with_rule(data: dict[str, Any], rule: dict[str, Any], good: settings.Settings) -> settings.Settings:
    """The settings with one rule more; as they were when the rule is refused."""
    data["firewall"].append(rule)
    try:
        return settings.parse(data)
    except settings.SettingsError:
        data["firewall"].pop()
        return good


def _calling(data: dict[str, Any]) -> list[str]:
    """Roles that may call the internet: private, with a public tier for the NAT gateways in their VPC."""
    return [
        name
        for name, role in data["server_roles"].items()
        if role["tier"] == "private" and "public" in data["vpcs"][role["vpc"]]["tiers"]
    ]


def _add_load_balancer(draw: Any, data: dict[str, Any]) -> None:
    """With the rules that every load balancer has; none where no role stands in its VPC."""
    vpc = draw(st.sampled_from([name for name, v in data["vpcs"].items() if "public" in v["tiers"]]))
    roles = [name for name, role in data["server_roles"].items() if role["vpc"] == vpc]
    if roles:
        data["load_balancers"]["front"] = raw()["load_balancers"]["front"] | {
            "vpc": vpc,
            "sources": "internet",  # there may be no customers
        }
        limit = {"limit": {"connections": 5, "rate": 5}}
        data["firewall"].append(_rule(["internet"], ["front"], "tcp", 443) | limit | {"accepted": ACCEPTED})
        data["firewall"].append(_rule(["front"], [draw(st.sampled_from(roles))], "tcp", 8443))


def _vpc(draw: Any, number: int) -> dict[str, Any]:
    tiers = draw(st.lists(st.sampled_from(["public", "private", "isolated"]), min_size=1, unique=True))
    cidr = f"10.{number}.0.0/{draw(st.integers(16, 20))}"
    return {"cidr": cidr, "tiers": tiers, "ipv6": draw(st.booleans())}


def _role(draw: Any, vpcs: dict[str, Any]) -> dict[str, Any]:
    vpc = draw(st.sampled_from(sorted(vpcs)))
    tier = draw(st.sampled_from(vpcs[vpc]["tiers"]))
    return {"vpc": vpc, "tier": tier, "count": draw(st.integers(1, 4)), "instance_type": "m7i.large"}


def _customer(draw: Any, number: int) -> dict[str, Any]:
    ranges = [f"192.168.{number}.0/24"]
    if draw(st.booleans()):
        ranges.append(f"2001:db8:{number}::/48")
    vpcs = draw(st.lists(st.sampled_from(["customer", "platform"]), min_size=1, unique=True))
    gateway = f"198.51.100.{number}"
    where = {"gateway": gateway, "ranges": ranges, "vpcs": vpcs, "asn": 65000 + number}
    return {"kind": "customer", "routing": "static", **where}


def _any_rule(draw: Any, names: list[str]) -> dict[str, Any]:
    sources = [*names, "noc", "customer", "internet", "bound_sources"]
    targets = [*names, "aws_endpoints", "noc", "internet"]
    source = draw(st.lists(st.sampled_from(sources), min_size=1, max_size=2, unique=True))
    target = draw(st.lists(st.sampled_from(targets), min_size=1, max_size=2, unique=True))
    rule = _rule(source, target, draw(st.sampled_from(["tcp", "udp"])), draw(st.sampled_from(PORTS)))
    if {"internet", "bound_sources"} & {*source} or draw(st.booleans()):
        rule["limit"] = {"connections": 50, "rate": 30}
    if "internet" in source:
        rule["accepted"] = ACCEPTED
    return rule


def _rule(source: list[str], target: list[str], protocol: str, port: int) -> dict[str, Any]:
    return {"from": source, "to": target, "protocol": protocol, "port": port, "why": "a test"}
