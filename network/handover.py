"""The hand-over sheet of a site: all that the other end needs to set its device up, except the keys.

`python -m network.handover --stack S --site NAME` asks the account (the usual AWS environment) for the site's
connections and prints Markdown; `--variables` prints the variables of the role `customer_gateway` instead.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from fault import UNREACHABLE, WRONG_USE, Fault, main

Region = Mapping[str, Any]
Described = Mapping[str, Mapping[str, Any]]
"""DescribeVpnConnections' answer for each VPC of the site."""

# The order and words of the sheet; each option as the API calls it.
OPTIONS = {
    "Internet Key Exchange": "IkeVersions",
    "Phase 1 encryption": "Phase1EncryptionAlgorithms",
    "Phase 1 integrity (pseudo-random function under GCM)": "Phase1IntegrityAlgorithms",
    "Phase 1 Diffie-Hellman groups": "Phase1DHGroupNumbers",
    "Phase 1 lifetime, seconds": "Phase1LifetimeSeconds",
    "Phase 2 encryption": "Phase2EncryptionAlgorithms",
    "Phase 2 integrity": "Phase2IntegrityAlgorithms",
    "Phase 2 groups (perfect forward secrecy)": "Phase2DHGroupNumbers",
    "Phase 2 lifetime, seconds": "Phase2LifetimeSeconds",
    "Rekey margin, seconds": "RekeyMarginTimeSeconds",
    "Replay window, packets": "ReplayWindowSize",
    "Dead peer detection, seconds": "DpdTimeoutSeconds",
    "On a dead peer AWS does": "DpdTimeoutAction",
    "At the start AWS does": "StartupAction",
}


def variables(region: Region, site: str, described: Described) -> dict[str, Any]:
    """Variables of the role `customer_gateway`, without the `secret` of each tunnel: not ours to tell."""
    facts = region["sites"][site]
    return {
        "customer_gateway_address": facts["gateway"],
        "customer_gateway_ranges": [block for block in facts["ranges"] if ip_network(block).version == 4],
        "customer_gateway_connections": [
            {
                "name": f"{site}-{vpc}",
                "network": region["vpcs"][vpc]["cidr"],
                "tunnels": [{"outside": tunnel["OutsideIpAddress"]} for tunnel in _tunnels(connection)],
            }
            for vpc, connection in described.items()
        ],
    }


def sheet(region: Region, site: str, described: Described) -> str:
    """The sheet as Markdown. Holds no pre-shared key, whatever the account answered."""
    facts = region["sites"][site]
    lines = [
        f"# VPN hand-over: {site}",
        "",
        f"Region {region['region']}, stack {region['stack']}. As the account has it now. Set up",
        "both tunnels of a connection; nothing weaker than what is listed is accepted.",
        "",
        *_table("Your end", {"Public address (and IKE identity)": facts["gateway"]}),
        *_table("Your ranges", {str(number): block for number, block in enumerate(facts["ranges"], start=1)}),
    ]
    for vpc, connection in described.items():
        lines += _connection(region, facts, vpc, connection)
    return "\n".join(lines) + "\n"


def _connection(
    region: Region, site: Mapping[str, Any], vpc: str, connection: Mapping[str, Any]
) -> list[str]:
    options = connection["Options"]
    static = options.get("StaticRoutesOnly", False)
    lines = [f"## Connection {connection['VpnConnectionId']} to {vpc}", ""]
    lines += _table(
        "Routing",
        {
            "Network behind AWS": region["vpcs"][vpc]["cidr"],
            "Routing": "static routes" if static else "BGP",
            "Traffic selector, your side": options.get("LocalIpv4NetworkCidr", "0.0.0.0/0"),
            "Traffic selector, AWS's side": options.get("RemoteIpv4NetworkCidr", "0.0.0.0/0"),
            **({} if static else {"Your BGP number": site["asn"]}),
        },
    )
    for number, tunnel in enumerate(_tunnels(connection), start=1):
        lines += _table(f"Tunnel {number}", _tunnel(tunnel, static))
    arn = connection.get("PreSharedKeyArn")
    if not arn:
        raise Fault(
            f"{connection['VpnConnectionId']} keeps its pre-shared keys in its own description",
            "a key is handed over from Secrets Manager only",
            "store them there (presharedKeyStorage: SecretsManager), then print the sheet again",
        )
    return [
        *lines,
        f"Pre-shared keys: Secrets Manager, `{arn}`, one per tunnel by its outside address.",
        "The platform team's role fetches them, calls the contact on file back, and hands them over",
        "apart from this sheet, never by mail or ticket.",
        "",
    ]


def _tunnel(tunnel: Mapping[str, Any], static: bool) -> dict[str, Any]:
    inside = ip_network(tunnel["TunnelInsideCidr"])
    rows: dict[str, Any] = {"AWS outside address (and IKE identity)": tunnel["OutsideIpAddress"]}
    rows["Inside addresses: AWS, yours"] = f"{inside[1]}, {inside[2]} (/{inside.prefixlen})"
    if not static:
        rows["BGP neighbour"] = str(inside[1])
    for words, option in OPTIONS.items():
        value = tunnel.get(option)
        if isinstance(value, list):
            value = ", ".join(str(entry["Value"]) for entry in value)
        rows[words] = "AWS's default" if value in (None, "") else value
    rows["Encapsulation"] = "ESP, in UDP 4500 behind address translation; tunnel mode"
    rows["Largest TCP segment"] = 1379
    return rows


def _tunnels(connection: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = connection["Options"]["TunnelOptions"]
    return found


def _table(title: str, rows: Mapping[str, Any]) -> list[str]:
    body = [f"| {name} | {value} |" for name, value in rows.items()]
    return [f"### {title}", "", "| what | value |", "| --- | --- |", *body, ""]


def describe(region: Region, site: str, client: Any) -> dict[str, Any]:
    """The account's own words about the site's connections, per VPC. Raises Fault for an unknown site."""
    if site not in region["sites"]:
        known = ", ".join(sorted(region["sites"]))
        raise Fault(
            f"no site {site!r}", "a sheet is about a site of the stack", f"choose from {known}", WRONG_USE
        )
    ids = {
        name.split("/", 1)[1]: f["connection"]
        for name, f in region["vpn"].items()
        if name.startswith(f"{site}/")
    }
    answer = client.describe_vpn_connections(VpnConnectionIds=sorted(ids.values()))["VpnConnections"]
    found = {item["VpnConnectionId"]: item for item in answer if item["State"] != "deleted"}
    return {vpc: found[connection] for vpc, connection in ids.items()}


def command(arguments: Sequence[str]) -> int:
    """Print the sheet, or the role's variables."""
    parser = argparse.ArgumentParser(
        prog="python -m network.handover", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("--stack", required=True)
    parser.add_argument("--site", required=True)
    parser.add_argument("--region", type=Path, help="region.json; build/region/STACK/region.json by default")
    parser.add_argument(
        "--variables", action="store_true", help="variables of the role customer_gateway, as JSON"
    )
    given = parser.parse_args(arguments)
    path = given.region or Path("build/region") / given.stack / "region.json"
    if not path.is_file():
        raise Fault(
            f"{path} is missing",
            "the sheet is about a region that was provisioned",
            "`make up` or `pulumi up` first",
        )
    region = json.loads(path.read_text())
    import boto3  # noqa: PLC0415  # half a second that a wrong call does not need
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        described = describe(region, given.site, boto3.client("ec2", region_name=region["region"]))
    except (BotoCoreError, ClientError) as error:
        raise Fault(
            str(error), "the account answers for its connections", "check the AWS environment", UNREACHABLE
        ) from error
    if given.variables:
        print(json.dumps(variables(region, given.site, described), indent=2))
    else:
        print(sheet(region, given.site, described), end="")
    return 0


if __name__ == "__main__":
    main(lambda: command(sys.argv[1:]))
