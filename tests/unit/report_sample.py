"""A realistic run for the report's tests: 6 nodes, 20 resources, 120 controls, every status, a region."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from typing import Any

from report.model import ControlSummary, Report, Result, Run, Status, Subject, Waiver

STARTED = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
NODE_AREAS = {
    "SSH": ("Root cannot log in over ssh", "A shared account hides who acted.", "M5", "D5"),
    "USR": (
        "Password ageing is enforced",
        "A leaked password that never ends stays useful for ever.",
        "M21",
        "D5",
    ),
    "KRN": ("Kernel pointers are hidden from users", "Addresses make exploits reliable.", "M5", "D5"),
    "FWL": (
        "The local firewall drops what the intent does not name",
        "One open port is a way in.",
        "M6",
        "D6",
    ),
    "PAT": ("No security update is pending", "Known holes are used within days.", "M5", "D7"),
    "AUD": ("Log-ins leave an audit record", "Without a record nobody can tell what happened.", "M13", "D5"),
    "TIM": ("The clock follows the declared servers", "Logs without true time prove little.", "M5", "D5"),
    "SVC": ("No service listens that the role does not need", "Unused code is attacked too.", "M5", "D5"),
    "FIL": ("Credential files are readable by root only", "Hashes can be cracked offline.", "M5", "D5"),
}
REGION_TYPES = {
    "bucket": ("BKT", "Objects are encrypted with the customer key", "object storage", "M7"),
    "vpc": ("NET", "The main route table leads nowhere", "vpc", "M3"),
    "subnet": ("NET", "A private subnet gives no public address", "vpc", "M3"),
    "security_group": ("SGR", "Nothing is open that the intent does not name", "security group", "M6"),
    "key": ("KMS", "The key rotates every year", "data", "M10"),
    "iam_role": ("IAM", "The role carries the permission boundary", "iam", "M4"),
    "vpn_connection": ("VPN", "Both tunnels demand AES-256-GCM", "network", "M28"),
    "account": ("ACC", "New volumes are encrypted by default", "region", "M10"),
}
LAYERS = {"SSH": "access", "USR": "access", "FWL": "periphery"}
SEVERITIES = ("low", "medium", "high", "critical")


def region(zones: str = "abc", counts: dict[str, int] | None = None, vpcs: int = 2) -> dict[str, Any]:
    """A region contract (docs/contracts.md section 3) with the given node counts per server role."""
    counts = counts or {"edge": 3, "app": 2, "archive": 1}
    roles = [
        ("edge", "customer", "public"),
        ("app", "customer", "private"),
        ("archive", "platform", "isolated"),
    ]
    names = ["customer", "platform", "analytics", "partners"][:vpcs]
    tiers = {"customer": ("public", "private")}
    shown = {
        name: _vpc(20 + i, name, tiers.get(name, ("public", "private", "isolated")), zones)
        for i, name in enumerate(names)
    }
    nodes = [
        n for role, vpc, tier in roles for n in _nodes((role, vpc, tier), counts.get(role, 0), zones, shown)
    ]
    sites = {
        "noc-mumbai": _site("noc", "203.0.113.10", "172.30.10.0/24", ["customer", "platform"], 65010),
        "sc-pune": _site("service_centre", "203.0.113.20", "172.30.20.0/24", ["customer", "platform"], 65020),
        "acme-bank": _site("customer", "198.51.100.10", "192.168.64.0/24", ["customer"], 65030),
    }
    return {
        "schema": "stockade/region/1",
        "stack": "in-mumbai",
        "project": "stockade",
        "region": "ap-south-1",
        "account": "111122223333",
        "allowed_regions": ["ap-south-1"],
        "jurisdiction": "IN",
        "vpcs": shown,
        "nodes": nodes,
        "vpn": {
            f"{site}/{vpc}": {
                "connection": f"vpn-{i}{j}",
                "customer_gateway": f"cgw-{i}",
                "vpn_gateway": f"vgw-{vpc}",
            }
            for i, (site, data) in enumerate(sites.items())
            for j, vpc in enumerate(data["vpcs"])
        },
        "intent": {"flows": _flows()},
        "sites": sites,
        "services": {},
        "patching": {},
        "retention": {},
    }


def _site(kind: str, gateway: str, block: str, vpcs: list[str], asn: int) -> dict[str, Any]:
    return {"kind": kind, "gateway": gateway, "ranges": [block], "vpcs": vpcs, "asn": asn}


def _vpc(second: int, name: str, tiers: tuple[str, ...], zones: str) -> dict[str, Any]:
    blocks = IPv4Network(f"10.{second}.0.0/16").subnets(new_prefix=20)
    return {
        "id": f"vpc-0{second}a1b2c3d4e5f",
        "cidr": f"10.{second}.0.0/16",
        "vpn_gateway": f"vgw-{name}",
        "default_security_group": "sg-default",
        "flow_log": "fl-1",
        "subnets": {
            f"{tier}-{zone}": {
                "id": f"subnet-{second}{tier}{zone}",
                "cidr": str(next(blocks)),
                "zone": f"ap-south-1{zone}",
                "tier": tier,
            }
            for tier in tiers
            for zone in zones
        },
    }


def _nodes(
    place: tuple[str, str, str], number: int, zones: str, vpcs: dict[str, Any]
) -> list[dict[str, Any]]:
    role, vpc, tier = place
    found = []
    for i in range(number if vpc in vpcs else 0):
        zone = zones[i % len(zones)]
        block = IPv4Network(vpcs[vpc]["subnets"][f"{tier}-{zone}"]["cidr"])
        found.append(
            {
                "name": f"{role}-{zone}-{i // len(zones) + 1}",
                "role": role,
                "vpc": vpc,
                "tier": tier,
                "zone": f"ap-south-1{zone}",
                "subnet": f"{tier}-{zone}",
                "instance_id": f"i-0{role}{i:04d}",
                "address": str(block[11 + i // len(zones)]),
                "public_address": f"198.51.100.{i + 20}" if tier == "public" else None,
                "security_group": f"sg-{role}",
            }
        )
    return found


def _end(kind: str, name: str, *networks: str) -> dict[str, Any]:
    return {"kind": kind, "name": name, "networks": list(networks)}


def _flow(
    source: dict[str, Any], target: dict[str, Any], protocol: str, port: int, why: str, *, limit: bool = False
) -> dict[str, Any]:
    cap = {"connections": 50, "rate": 30} if limit else None
    return {"source": source, "target": target, "protocol": protocol, "port": port, "why": why, "limit": cap}


def _flows() -> list[dict[str, Any]]:
    role = {name: _end("role", name) for name in ("edge", "app", "archive")}
    noc = _end("site", "noc-mumbai", "172.30.10.0/24")
    centre = _end("site", "sc-pune", "172.30.20.0/24")
    proxy, clock = (
        _end("service", "package_proxy", "172.30.20.10/32"),
        _end("service", "time_servers", "172.30.20.11/32"),
    )
    aws = {"app": _end("aws_endpoints", "customer"), "archive": _end("aws_endpoints", "platform")}
    flows = [
        _flow(
            _end("internet", "internet", "0.0.0.0/0", "::/0"),
            role["edge"],
            "tcp",
            443,
            "customers upload over TLS",
            limit=True,
        ),
        _flow(
            _end("site", "acme-bank", "192.168.64.0/24"),
            role["edge"],
            "tcp",
            443,
            "customers upload over TLS",
            limit=True,
        ),
        _flow(role["edge"], role["app"], "tcp", 8443, "uploads are handed on"),
        _flow(role["app"], role["archive"], "tcp", 9443, "archived copies"),
    ]
    flows += [_flow(site, r, "tcp", 22, "administration") for site in (noc, centre) for r in role.values()]
    flows += [_flow(r, proxy, "tcp", 3142, "signed packages") for r in role.values()]
    flows += [_flow(r, clock, "udp", 123, "time") for r in role.values()]
    flows += [
        _flow(r, _end("platform", "dns_resolver"), p, 53, "names")
        for r in role.values()
        for p in ("udp", "tcp")
    ]
    flows += [_flow(r, _end("platform", "instance_metadata"), "tcp", 80, "IMDSv2") for r in role.values()]
    return flows + [_flow(role[r], aws[r], "tcp", 443, "AWS APIs without the internet") for r in aws]


def controls(
    node_controls: int = 72, region_controls: int = 48
) -> tuple[list[ControlSummary], dict[str, str]]:
    """Control summaries, and for each id what it applies to: `node` or a resource type."""
    found, applies = [], {}
    for i in range(node_controls):
        area = list(NODE_AREAS)[i % len(NODE_AREAS)]
        title, why, *rows = NODE_AREAS[area]
        number = i // len(NODE_AREAS) + 1
        found.append(
            _control(f"STK-{area}-{number:03d}", (title, why, LAYERS.get(area, "os")), number, rows, i)
        )
        applies[found[-1].id] = "node"
    numbers: dict[str, int] = {}
    for i in range(region_controls):
        kind = list(REGION_TYPES)[i % len(REGION_TYPES)]
        area, title, layer, row = REGION_TYPES[kind]
        numbers[area] = numbers.get(area, 0) + 1
        why = "What the program asked for is not proof of what the account does."
        found.append(_control(f"STK-{area}-{numbers[area]:03d}", (title, why, layer), i // 8 + 1, [row], i))
        applies[found[-1].id] = kind
    return found, applies


def _control(
    name: str, texts: tuple[str, str, str], number: int, rows: list[str] | tuple[str, ...], i: int
) -> ControlSummary:
    title, why, layer = texts
    return ControlSummary(
        id=name,
        title=title if number == 1 else f"{title}, part {number}",
        why=why,
        severity=SEVERITIES[(i * 7) % 4],  # type: ignore[arg-type]
        layer=layer,
        rows=tuple(rows),
        references=(f"CIS Debian 12 1.1: {i % 6 + 1}.{i % 9 + 1}.{i % 4 + 1}", "ISO 27001:2022: A.8.9"),
    )


def resources(number: int = 20) -> list[Subject]:
    """Resource subjects, spread over the types."""
    kinds = list(REGION_TYPES)
    return [
        Subject(
            id=f"{kinds[i % len(kinds)]}/{'main' if i < len(kinds) else f'extra-{i // len(kinds)}'}",
            kind="resource",
            group=kinds[i % len(kinds)],
            facts={"id": f"res-{i:04x}", "region": "ap-south-1"},
        )
        for i in range(number)
    ]


def report(
    *,
    good: bool = False,
    contract: dict[str, Any] | None = None,
    node_controls: int = 72,
    region_controls: int = 48,
    resource_count: int = 20,
    **changes: Any,
) -> Report:
    """A run over the region; without `good`, one result in thirty is no pass and every status occurs."""
    contract = contract if contract is not None else region()
    dice = random.Random(7)
    listed, applies = controls(node_controls, region_controls)
    subjects = [_node_subject(node) for node in contract.get("nodes", [])] + resources(resource_count)
    results = [
        _result(control, subject, _status(dice, good))
        for control in listed
        for subject in subjects
        if applies[control.id] in {subject.kind, subject.group}
    ]
    if not good:
        results = _every_status(results)
    run = Run(
        stack="in-mumbai",
        region="ap-south-1",
        account="111122223333",
        started=STARTED,
        seconds=23.4,
        commit="e9efd58c0ffee123",
        scope="region and nodes",
    )
    data: dict[str, Any] = {
        "run": run,
        "subjects": subjects,
        "controls": listed,
        "results": results,
        "region": contract,
    }
    return Report(**(data | changes))


def _node_subject(node: dict[str, Any]) -> Subject:
    facts = {key: node[key] for key in ("address", "zone", "subnet", "instance_id")} | {"os": "Debian 12.11"}
    return Subject(id=node["name"], kind="node", group=node["role"], facts=facts)


def _status(dice: random.Random, good: bool) -> Status:
    if good:
        return Status.PASS if dice.random() > 0.03 else Status.NOT_APPLICABLE
    return dice.choices(list(Status), [100, 1, 0.4, 0.6, 3, 0.2])[0]


def _every_status(results: list[Result]) -> list[Result]:
    """The first results take the statuses that chance left out."""
    missing = [status for status in Status if status not in {result.status for result in results}]
    return [_again(results[i], status) for i, status in enumerate(missing)] + results[len(missing) :]


def _again(result: Result, status: Status) -> Result:
    subject = Subject(id=result.subject, kind="node", group="edge")
    return _result(
        ControlSummary(id=result.control, title="", why="", severity="low", layer="", rows=(), references=()),
        subject,
        status,
    )


MESSAGES = {
    Status.PASS: "as required",
    Status.FAIL: "permitrootlogin is yes; expected no",
    Status.ERROR: "no answer within 10 s; the node may be down",
    Status.WAIVED: "minlen is 12; expected 14",
    Status.NOT_APPLICABLE: "the kernel belongs to the host here; proven on the virtual machine",
    Status.MANUAL: "a person must look at the console log",
}


def waiver() -> Waiver:
    return Waiver(
        id="WVR-2026-004",
        owner="platform-engineering",
        approver="security-office",
        reason="vendor agent needs it until its next release",
        ticket="SEC-118",
        risk="a stolen hash of the agent's account is guessed sooner",
        expires=STARTED + timedelta(days=40),
    )


def _result(control: ControlSummary, subject: Subject, status: Status) -> Result:
    area = control.id.split("-")[1].lower()
    place = "nodes" if subject.kind == "node" else "cloud"
    return Result(
        control=control.id,
        subject=subject.id,
        status=status,
        message=MESSAGES[status],
        seconds=0.012,
        evidence="$ sshd -T | grep -i permitrootlogin\n"
        f"permitrootlogin {'yes' if status is Status.FAIL else 'no'}\n",
        test=f"tests/{place}/test_{area}.py::test_state[{subject.id}-{control.id}]",
        waiver=waiver() if status is Status.WAIVED else None,
    )
