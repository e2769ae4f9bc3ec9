"""Broken plans of site-to-site VPN: routing and alarms."""

from __future__ import annotations

from tests.infra.breaking import Break, Broken, Plan, one, put

CONNECTION = "aws:ec2/vpnConnection:VpnConnection"
ROUTE = "aws:ec2/vpnConnectionRoute:VpnConnectionRoute"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
BGP = "noc-mumbai-customer"


def _static(routed: bool, **inputs: str) -> Break:
    """A connection that speaks BGP becomes static, with or without a route of its own."""

    def apply(planned: Plan) -> None:
        connection = one(planned, CONNECTION, BGP)
        connection["inputs"] |= {"staticRoutesOnly": True, **inputs}
        if routed:
            _route(planned)

    return apply


def _route(planned: Plan) -> None:
    connection = one(planned, CONNECTION, BGP)
    extra = {**connection, "type": ROUTE, "name": "extra", "urn": f"{connection['urn']}-route"}
    planned.append({**extra, "inputs": {}, "depends": {"vpnConnectionId": [connection["urn"]]}})  # type: ignore[typeddict-item]


def _quiet(option: str, value: object) -> Break:
    """The alarm of a connection, made deaf or dumb."""

    def apply(planned: Plan) -> None:
        name = next(p["name"] for p in planned if p["type"] == ALARM and p["name"].startswith("tunnel-"))
        put(ALARM, option, value, name)(planned)

    return apply


BROKEN: list[Broken] = [
    ("tunnel-routed", "static without a route", _static(False, remoteIpv4NetworkCidr="10.20.0.0/16")),
    ("tunnel-routed", "static and leading everywhere", _static(True)),
    ("tunnel-routed", "BGP with a static route", _route),
    ("tunnel-watched", "an alarm for both tunnels only", _quiet("threshold", 0.5)),
    ("tunnel-watched", "silence taken for health", _quiet("treatMissingData", "notBreaching")),
]
