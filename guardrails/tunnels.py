"""Both tunnels of every VPN connection negotiate strong algorithms only, and keep their keys out of the
state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from guardrails.model import Bounds, Finding, Guardrail, Planned, at, listed, of_type

CONNECTION = "aws:ec2/vpnConnection:VpnConnection"
# Strong enough on their own; anything else in the list is a way down. NIST SP 800-77 Rev. 1, section 3 and
# table 1 (AES-GCM, SHA-2 of 384 bits or more, elliptic curve groups of 256 bits or more).
STRONG: dict[str, frozenset[object]] = {
    "IkeVersions": frozenset({"ikev2"}),
    "Phase1EncryptionAlgorithms": frozenset({"AES256-GCM-16"}),
    "Phase2EncryptionAlgorithms": frozenset({"AES256-GCM-16"}),
    "Phase1IntegrityAlgorithms": frozenset({"SHA2-384", "SHA2-512"}),
    "Phase2IntegrityAlgorithms": frozenset({"SHA2-384", "SHA2-512"}),
    "Phase1DhGroupNumbers": frozenset({19, 20, 21}),
    "Phase2DhGroupNumbers": frozenset({19, 20, 21}),
}


def tunnels_strong(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Each list is stated (AWS's default holds weak ones) and holds strong algorithms only."""
    for connection in of_type(resources, CONNECTION):
        for tunnel in ("tunnel1", "tunnel2"):
            for option, strong in STRONG.items():
                stated = {
                    int(v) if isinstance(v, float) else v
                    for v in listed(connection["inputs"].get(tunnel + option))
                }
                if not stated or stated - strong:
                    weak = ", ".join(sorted(str(value) for value in stated - strong)) or "not stated"
                    yield Finding(
                        "tunnel-strong",
                        connection["urn"],
                        f"{tunnel}{option}: {weak}",
                        f"allow only {', '.join(sorted(str(value) for value in strong))}",
                    )


def keys_out_of_state(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Pre-shared keys are made by AWS and kept in Secrets Manager; the program never names one."""
    for connection in of_type(resources, CONNECTION):
        inputs = connection["inputs"]
        if inputs.get("presharedKeyStorage") != "SecretsManager":
            yield Finding(
                "tunnel-key", connection["urn"], "keys are kept in the state", "store in SecretsManager"
            )
        for tunnel in ("tunnel1", "tunnel2"):
            if f"{tunnel}PresharedKey" in inputs:
                yield Finding(
                    "tunnel-key", connection["urn"], f"{tunnel} has a stated key", "let AWS make it"
                )


def tunnels_logged(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Both tunnels log."""
    for connection in of_type(resources, CONNECTION):
        for tunnel in ("tunnel1", "tunnel2"):
            if at(connection["inputs"], f"{tunnel}LogOptions.cloudwatchLogOptions.logEnabled") is not True:
                yield Finding("tunnel-logged", connection["urn"], f"{tunnel} does not log", "enable its log")


def tunnels_routed(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """A static connection has routes and leads to one network; one that speaks BGP has no static route.

    AWS's own selectors are everything: a VPN gateway then passes traffic on from site to site.
    """
    routed = {
        urn
        for route in of_type(resources, "aws:ec2/vpnConnectionRoute:VpnConnectionRoute")
        for urn in route.get("depends", {}).get("vpnConnectionId", [])
    }
    for connection in of_type(resources, CONNECTION):
        inputs, urn = connection["inputs"], connection["urn"]
        if inputs.get("staticRoutesOnly") is not True:
            if urn in routed:
                yield Finding("tunnel-routed", urn, "speaks BGP and has a static route", "remove the route")
            continue
        if urn not in routed:
            yield Finding("tunnel-routed", urn, "static without a route", "give it its site's ranges")
        if inputs.get("remoteIpv4NetworkCidr") in (None, "0.0.0.0/0"):
            yield Finding(
                "tunnel-routed", urn, "leads everywhere", "set remoteIpv4NetworkCidr to the VPC's block"
            )


def tunnels_watched(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Of every connection an alarm tells when one of its tunnels is down, or says nothing any more."""
    watched = {
        urn
        for alarm in of_type(resources, "aws:cloudwatch/metricAlarm:MetricAlarm")
        if _speaks(alarm["inputs"])
        for urn in alarm.get("depends", {}).get("dimensions", [])
    }
    for connection in of_type(resources, CONNECTION):
        if connection["urn"] not in watched:
            yield Finding(
                "tunnel-watched",
                connection["urn"],
                "no alarm tells when a tunnel is down",
                "alarm on AWS/VPN TunnelState below 1, missing data breaching, with an action",
            )


def _speaks(alarm: Mapping[str, Any]) -> bool:
    # A connection of which one tunnel is down has a value between 0 and 1.
    return (
        alarm.get("namespace") == "AWS/VPN"
        and alarm.get("metricName") == "TunnelState"
        and alarm.get("comparisonOperator") == "LessThanThreshold"
        and alarm.get("threshold") == 1
        and alarm.get("treatMissingData") == "breaching"
        and alarm.get("actionsEnabled") is True
        and bool(alarm.get("alarmActions"))
    )


GUARDRAILS: tuple[Guardrail, ...] = (
    tunnels_strong,
    keys_out_of_state,
    tunnels_logged,
    tunnels_routed,
    tunnels_watched,
)
