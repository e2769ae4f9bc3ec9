"""The packet filter as the kernel holds it (`nft -j`), compared with the intent of the region contract."""

from __future__ import annotations

import json
import re
from ipaddress import collapse_addresses, ip_address, ip_network, summarize_address_range
from typing import Any

import pytest

ANYWHERE = {"0.0.0.0/0", "::/0"}
# A packet from another interface than the loopback one that says it comes from the node itself.
FORGED = [{"ip.saddr": ("==", {"127.0.0.0/8"})}, {"ip6.saddr": ("==", {"::1"})}]


class Rule:
    """One rule of the kernel: what it compares, in order, and what it does."""

    def __init__(self, data):
        self.statements = data["expr"]
        self.matches = {}
        for statement in self.statements:
            if "match" in statement:
                left = statement["match"]["left"]
                key = left.get("payload") or left.get("meta") or left.get("ct") or {}
                name = ".".join(
                    str(v) for v in (key.get("protocol"), key.get("field") or key.get("key")) if v
                )
                self.matches[name] = (statement["match"]["op"], values(statement["match"]["right"]))

    def has(self, name, value):
        """Whether it compares `name` for equality with `value` (among others)."""
        op, right = self.matches.get(name, ("", set()))
        return op in ("==", "in") and str(value) in right

    def does(self, verdict):
        """Whether it ends in a verdict."""
        return any(verdict in statement for statement in self.statements)

    def target(self):
        """The chain that it goes to, or None."""
        return next((s[k]["target"] for s in self.statements for k in ("goto", "jump") if k in s), None)

    def networks(self, side):
        """Networks it admits on a side (saddr or daddr); a rule without an address admits a whole family."""
        for family in ("ip", "ip6"):
            if f"{family}.{side}" in self.matches:
                return {str(ip_network(value)) for value in self.matches[f"{family}.{side}"][1]}
        if self.has("nfproto", "ipv4"):
            return {"0.0.0.0/0"}
        return {"::/0"} if self.has("nfproto", "ipv6") else set(ANYWHERE)


def values(right):
    """The right side of a comparison as a set of texts."""
    if isinstance(right, dict) and "set" in right:
        return {text for item in right["set"] for text in values(item)}
    if isinstance(right, dict) and "prefix" in right:
        return {f"{right['prefix']['addr']}/{right['prefix']['len']}"}
    if isinstance(right, dict) and "range" in right:
        first, last = right["range"]
        if isinstance(first, int):
            return {str(number) for number in range(first, last + 1)}
        return {str(network) for network in summarize_address_range(ip_address(first), ip_address(last))}
    if isinstance(right, list):
        return {str(item) for item in right}
    return {str(right)}


@pytest.fixture(scope="module")
def table(host):
    """The table `inet stockade`: chains {name: facts}, rules {chain: [Rule]}, sets {name: facts}."""
    answer = host.run("nft -j list table inet stockade")
    assert answer.rc == 0, "the node has no table inet stockade"
    items = json.loads(answer.stdout)["nftables"]
    chains = {item["chain"]["name"]: item["chain"] for item in items if "chain" in item}
    rules = {
        name: [Rule(i["rule"]) for i in items if i.get("rule", {}).get("chain") == name] for name in chains
    }
    return chains, rules, {item["set"]["name"]: item["set"] for item in items if "set" in item}


def merged(entries):
    """The same openings with neighbouring networks joined: the kernel joins those of a set by itself."""
    openings: dict[tuple[str, int, int], list[Any]] = {}
    for protocol, port, network in entries:
        parsed = ip_network(network)
        openings.setdefault((protocol, port, parsed.version), []).append(parsed)
    return {
        (protocol, port, str(network))
        for (protocol, port, _), networks in openings.items()
        for network in collapse_addresses(networks)
    }


@pytest.fixture(scope="module")
def intended(region, node):
    """What the contract's flows give this node: {"source": …, "target": …} of (protocol, port, network)."""
    found: dict[str, set[tuple[str, int, str]]] = {"source": set(), "target": set()}
    for flow in region["intent"]["flows"]:
        for end, other in (("source", "target"), ("target", "source")):
            if (flow[end]["kind"], flow[end]["name"]) == ("role", node["role"]):
                found[end] |= {
                    (flow["protocol"], flow["port"], str(ip_network(n))) for n in flow[other]["networks"]
                }
    assert found["target"], f"the intent lets nobody reach {node['role']}; administration is missing"
    return {end: merged(openings) for end, openings in found.items()}


def admitted(rules, side):
    """(protocol, port, network) of every rule that admits a port, as a set."""
    found: set[tuple[str, int, str]] = set()
    for rule in rules:
        for protocol in ("tcp", "udp"):
            ports = rule.matches.get(f"{protocol}.dport")
            if ports and (rule.does("accept") or rule.target()) and not rule.matches.get("udp.sport"):
                found |= {
                    (protocol, int(port), network) for port in ports[1] for network in rule.networks(side)
                }
    return merged(found)


@pytest.mark.control("STK-FWL-001")
def test_what_nothing_allows_is_dropped(table, node):
    """What a container host forwards is its containers' and judged by their engine; nobody else forwards."""
    chains, _, _ = table
    hooks = {chain["hook"]: (chain["policy"], chain["type"]) for chain in chains.values() if "hook" in chain}
    forward = "accept" if node.get("kind") == "container_host" else "drop"
    assert hooks == {**dict.fromkeys(("input", "output"), ("drop", "filter")), "forward": (forward, "filter")}


@pytest.mark.control("STK-FWL-002")
def test_the_rules_stand_before_the_network(host):
    shown = host.run(
        "systemctl show -p UnitFileState -p ActiveState -p Result -p Before stockade-firewall.service"
    ).stdout
    unit = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    assert (unit["UnitFileState"], unit["ActiveState"], unit["Result"]) == ("enabled", "active", "success")
    assert "network-pre.target" in unit["Before"].split()


@pytest.mark.control("STK-FWL-003")
def test_the_kernel_holds_what_was_loaded(host):
    answer = host.run("/usr/local/sbin/stockade-firewall verify")
    assert (answer.rc, answer.stdout.strip()) == (0, "in force"), answer.stderr


@pytest.mark.control("STK-FWL-004")
def test_what_comes_in_is_what_the_intent_names(table, intended):
    _, rules, _ = table
    found = admitted(rules["input"], "saddr")
    assert found - intended["target"] == set(), "open without being intended"
    assert intended["target"] - found == set(), "intended and not open"


@pytest.mark.control("STK-FWL-005")
def test_what_goes_out_is_what_the_intent_names(table, intended):
    _, rules, _ = table
    found = admitted(rules["output"], "daddr")
    assert found - intended["source"] == set(), "open without being intended"
    assert intended["source"] - found == set(), "intended and not open"


@pytest.mark.control("STK-FWL-006")
def test_administration_comes_first_and_from_its_networks_only(table, region):
    _, rules, _ = table
    kinds = ("noc", "service_centre")
    networks = {n for site in region["sites"].values() if site["kind"] in kinds for n in site["ranges"]}
    assert networks, "the contract has no site that administers"
    first = [i for i, rule in enumerate(rules["input"]) if rule.has("tcp.dport", 22)]
    assert {n for i in first for n in rules["input"][i].networks("saddr")} == {
        str(ip_network(n)) for n in networks
    }
    families = {n.version for n in map(ip_network, networks)}
    before = rules["input"][: first[len(families) - 1]]
    others = [rule for rule in before if not (rule.has("iif", "lo") or rule.has("tcp.dport", 22))]
    assert [rule.matches for rule in others if not (rule.matches in FORGED and rule.does("drop"))] == []


@pytest.mark.control("STK-FWL-007")
def test_internet_facing_ports_throttle_each_source(table, region, node):
    _, rules, sets = table
    flows = [f for f in region["intent"]["flows"] if f["source"]["kind"] in ("internet", "source")]
    mine = [f for f in flows if f["target"]["name"] == node["role"]]
    everybody = [f for f in mine if f["source"]["kind"] == "internet"]
    open_to_all = {(p, port) for p, port, network in admitted(rules["input"], "saddr") if network in ANYWHERE}
    assert open_to_all == {(f["protocol"], f["port"]) for f in everybody}, (
        "a port is open to all without a throttle"
    )
    for flow in mine:
        bound = {str(ip_network(n)) for n in flow["source"]["networks"]}
        callers = ANYWHERE if flow in everybody else bound
        opening = [
            rule
            for rule in rules["input"]
            if rule.has(f"{flow['protocol']}.dport", flow["port"]) and rule.networks("saddr") & callers
        ]
        assert opening, f"nothing lets {', '.join(sorted(callers))} in"
        assert len({rule.target() for rule in opening}) == 1
        assert None not in {rule.target() for rule in opening}, "an opening that no throttle stands behind"
        text = json.dumps([rule.statements for rule in rules[opening[0].target()]])
        assert text.count(f'"ct count": {{"val": {flow["limit"]["connections"]}, "inv": true}}') == 2, text
        assert text.count(f'"rate": {flow["limit"]["rate"]}, ') == 2, text
        assert text.count('"drop": null') == 4
        flood = [
            rule
            for rule in rules["floods"]
            if rule.has(f"{flow['protocol']}.dport", flow["port"]) and rule.networks("saddr") & callers
        ]
        assert {tuple(sorted(rule.networks("saddr"))) for rule in flood} == {
            tuple(sorted(rule.networks("saddr"))) for rule in opening
        }, "packets of connections that were let in are without a bound"
        text = json.dumps([rule.statements for rule in rules[flood[0].target()]])
        rates = {int(rate) for rate in re.findall(r'"rate": (\d+), ', text)}
        assert len(rates) == 1 and 1 <= rates.pop() <= 100_000, text
        assert text.count('"drop": null') == 2, text
    order = [n for n, rule in enumerate(rules["input"]) if rule.target() == "floods"]
    replies = [n for n, rule in enumerate(rules["input"]) if "state" in rule.matches and rule.does("accept")]
    assert len(order) == 1 and order[0] < replies[0], "a connection that stands is past its limit"
    limited = ("rate", "open", "packets")
    assert all(sets[name]["size"] >= 65535 for name in sets if name.startswith(limited))


@pytest.mark.control("STK-FWL-008")
def test_ipv6_is_filtered_too_and_still_works(table):
    chains, rules, _ = table
    assert {chain["family"] for chain in chains.values()} == {"inet"}
    kinds = {text for rule in rules["input"] for text in rule.matches.get("icmpv6.type", ("", set()))[1]}
    assert {"nd-neighbor-solicit", "nd-neighbor-advert", "nd-router-advert", "packet-too-big"} <= kinds
    assert "nd-redirect" not in kinds
    discovery = [rule for rule in rules["input"] if rule.has("icmpv6.type", "nd-neighbor-solicit")]
    assert all(rule.has("ip6.hoplimit", 255) for rule in discovery), "discovery from beyond the link"


@pytest.mark.control("STK-FWL-009")
def test_replies_pass_and_strays_do_not(table):
    _, rules, _ = table
    for chain in ("input", "output"):
        states = [(rule.matches["state"][1], rule) for rule in rules[chain] if "state" in rule.matches]
        replies = [rule for names, rule in states if names == {"established", "related"}]
        strays = [rule for names, rule in states if names == {"invalid"}]
        assert len(replies) == 1, chain
        assert replies[0].does("accept"), chain
        assert len(strays) == 1, chain
        assert strays[0].does("drop"), chain
        assert not [
            names
            for names, rule in states
            if "new" in names and rule.does("accept") and len(rule.matches) < 2
        ]


@pytest.mark.control("STK-FWL-010")
def test_drops_are_logged_within_bounds(table):
    _, rules, _ = table
    for chain in ("input", "output"):
        logging = [rule for rule in rules[chain] if rule.does("log")]
        assert len(logging) == 1, chain
        assert logging[0].does("limit"), "the log can be flooded"
        rest = rules[chain][rules[chain].index(logging[0]) + 1 :]
        assert [rule for rule in rest if rule.does("accept")] == [], "logged and then let through"


@pytest.mark.control("STK-FWL-011")
def test_loopback_is_open_to_itself_and_its_addresses_come_from_nowhere_else(table):
    _, rules, _ = table
    assert rules["input"][0].has("iif", "lo")
    assert rules["input"][0].does("accept")
    forged = rules["input"][1:3]
    assert [rule.matches for rule in forged] == FORGED
    assert all(rule.does("drop") for rule in forged)
    assert rules["output"][0].has("oif", "lo")
    assert rules["output"][0].does("accept")


@pytest.mark.control("STK-FWL-012")
def test_only_root_reaches_the_metadata(host, table):
    _, rules, _ = table
    refused = {
        value
        for rule in rules["output"]
        if rule.matches.get("skuid") == ("!=", {"0"}) and rule.does("reject")
        for family in ("ip", "ip6")
        for value in rule.matches.get(f"{family}.daddr", ("", set()))[1]
    }
    assert refused == {"169.254.169.254", "fd00:ec2::254"}
    tried = host.run(
        "runuser -u nobody -- timeout 3 bash -c '</dev/tcp/169.254.169.254/80' 2>&1 || true"
    ).stdout
    assert "No route to host" in tried, f"another account was not refused at once: {tried}"


@pytest.mark.control("STK-FWL-013")
def test_threat_sets_shut_out_both_ways(table):
    _, rules, sets = table
    for name, family in (("threats4", "ip"), ("threats6", "ip6")):
        assert "timeout" in sets[name]["flags"], "an entry would stay for ever"
        for chain, side, verdict in (("input", "saddr", "drop"), ("output", "daddr", "reject")):
            places = [i for i, rule in enumerate(rules[chain]) if rule.has(f"{family}.{side}", f"@{name}")]
            assert len(places) == 1, (chain, name)
            assert rules[chain][places[0]].does(verdict)
            if chain == "input":
                earlier = rules[chain][: places[0]]
                assert [r.matches for r in earlier if r.does("accept") and "state" in r.matches] == []


@pytest.mark.control("STK-FWL-014")
def test_no_second_firewall_service_runs(host):
    units = ("nftables", "ufw", "firewalld", "netfilter-persistent", "iptables", "fail2ban")
    answer = host.run(f"systemctl is-active {' '.join(units)}; systemctl is-enabled nftables.service")
    *states, enabled = answer.stdout.split()
    assert dict(zip(units, states, strict=True)) == dict.fromkeys(units, "inactive")
    assert enabled in ("disabled", "masked"), "its default rules begin with a flush of everything"
    tables = host.run("nft list tables").stdout.splitlines()
    assert "table inet stockade" in tables
