"""Alarms of the fleet, its networks and what faces the internet. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from detection.model import AlarmSpec, Metric
from detection.watched import ONE_MINUTE, Watched, over

# EC2 User Guide: a status check is made every minute.
CHECKS_IN_FIVE_MINUTES = 5


def nodes(watched: Watched, limit: Mapping[str, float]) -> Iterator[AlarmSpec]:
    """Nodes and their volumes."""
    schema = 'SCHEMA("AWS/EC2", InstanceId)'
    yield AlarmSpec(
        "nodes-failing",
        "os",
        "high",
        "A node fails its status checks",
        limit["nodes-failing"],
        "breaching",
        query=over(schema, "MAX", "StatusCheckFailed"),
        period=ONE_MINUTE,
        periods=3,
    )
    yield AlarmSpec(
        "nodes-silent",
        "os",
        "high",
        "Fewer nodes report than the region has",
        watched.nodes * CHECKS_IN_FIVE_MINUTES - limit["nodes-silent"],
        "breaching",
        query=over(schema, "COUNT", "StatusCheckFailed"),
        comparison="below",
        periods=2,
    )
    yield AlarmSpec(
        "nodes-busy",
        "os",
        "medium",
        "A node has had nothing left to give for half an hour",
        limit["nodes-busy"],
        "notBreaching",  # a silent node is nodes-silent's
        query=over(schema, "MAX", "CPUUtilization"),
        periods=6,
        needed=5,
    )
    yield AlarmSpec(
        "volumes-stalled",
        "os",
        "high",
        "A volume does not complete its I/O",
        limit["volumes-stalled"],
        "notBreaching",  # volumes of a stopped node report nothing
        query=over('SCHEMA("AWS/EBS", VolumeId)', "MAX", "VolumeStalledIOCheck"),
        period=ONE_MINUTE,
        periods=5,
    )


def network(watched: Watched, limit: Mapping[str, float]) -> Iterator[AlarmSpec]:
    """What flows between networks."""
    yield AlarmSpec(
        "traffic-out",
        "network",
        "high",
        "The nodes send far more than usual",
        limit["traffic-out"],
        "notBreaching",
        (Metric("AWS/EC2", "NetworkOut", "Sum"),),  # all nodes together: detailed monitoring is on
        anomaly=True,
        periods=3,
    )
    for name, connection in watched.tunnels.items():
        yield AlarmSpec(
            f"tunnel-{name}",
            "network",
            "high",
            f"A VPN tunnel of {name} is down",
            limit["tunnel"],
            "breaching",
            (Metric("AWS/VPN", "TunnelState", "Minimum", {"VpnId": connection}),),
            comparison="below",
            periods=3,
            needed=2,
        )
    if watched.nat:
        yield AlarmSpec(
            "nat-ports",
            "network",
            "medium",
            "A NAT gateway has no port left for a connection",
            limit["nat-ports"],
            "notBreaching",
            query=over('SCHEMA("AWS/NATGateway", NatGatewayId)', "SUM", "ErrorPortAllocation"),
        )
    for vpc, group in watched.flow_logs.items():
        yield AlarmSpec(
            f"flow-{vpc}",
            "vpc",
            "high",
            f"The flow records of {vpc} are far from usual, or have stopped",
            limit["flow"],
            "breaching",
            (Metric("AWS/Logs", "IncomingLogEvents", "Sum", {"LogGroupName": group}),),
            anomaly=True,
            comparison="outside",
            periods=3,
        )


def periphery(limit: Mapping[str, float]) -> Iterator[AlarmSpec]:
    """Load balancers and the web firewall."""
    schema = 'SCHEMA("AWS/ApplicationELB", LoadBalancer)'
    asked = {
        "balancer-errors": ("Customers get errors", over(schema, "SUM", "HTTPCode_ELB_5XX_Count")),
        "balancer-latency": (
            "Customers wait",
            over(schema, "AVG", "TargetResponseTime"),
        ),
        "balancer-rejected": (
            "A load balancer refuses connections",
            over(schema, "SUM", "RejectedConnectionCount"),
        ),
        "balancer-unhealthy": (
            "A node behind a load balancer does not answer",
            over('SCHEMA("AWS/ApplicationELB", LoadBalancer, TargetGroup)', "MAX", "UnHealthyHostCount"),
        ),
        "requests-blocked": (
            "The web firewall stops a wave of requests",
            over('SCHEMA("AWS/WAFV2", Region, Rule, WebACL)', "SUM", "BlockedRequests"),
        ),
    }
    for name, (says, query) in asked.items():
        # No request, no error: load balancers report most of these only when there is something to report.
        yield AlarmSpec(
            name,
            "periphery",
            "high" if name != "balancer-latency" else "medium",
            says,
            limit[name],
            "notBreaching",
            query=query,
            periods=2,
        )
