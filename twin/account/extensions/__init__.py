"""What moto 5.2.5 loses or lacks, added in its own process. One file per service; `install` is idempotent."""

from __future__ import annotations

from twin.account.extensions import (
    access_analyzer,
    accounts,
    addresses,
    backup,
    balancing,
    budgets,
    certificates,
    cloudtrail,
    cloudwatch_alarms,
    config,
    ebs,
    endings,
    endpoints,
    event_rules,
    flow_logs,
    functions,
    guardduty,
    images,
    inspector,
    ipv6,
    kms,
    launch_templates,
    macie,
    metadata,
    metric_filters,
    network_firewall,
    object_lock,
    public_access,
    queues,
    replication,
    request_metrics,
    resolver,
    resolver_logs,
    s3,
    s3_access,
    schedules,
    security_groups,
    securityhub,
    shield,
    topics,
    transit,
    vending,
    vpc_public_access,
    vpn,
    web_firewall,
)

_installed: list[bool] = []


def install() -> None:
    """Put every extension in place, once per process."""
    if _installed:
        return
    for module in (
        accounts,
        vending,
        addresses,
        ipv6,
        vpn,
        endpoints,
        endings,
        ebs,
        kms,
        s3,
        backup,
        object_lock,
        s3_access,
        replication,
        security_groups,
        launch_templates,
        functions,
        schedules,
        metadata,
        public_access,
        resolver,
        resolver_logs,
        vpc_public_access,
        access_analyzer,
        cloudtrail,
        config,
        guardduty,
        inspector,
        macie,
        securityhub,
        balancing,
        web_firewall,
        shield,
        budgets,
        cloudwatch_alarms,
        event_rules,
        metric_filters,
        queues,
        request_metrics,
        topics,
        transit,
        flow_logs,
        network_firewall,
    ):
        module.install()
    _installed.append(True)


__all__ = ["certificates", "images", "install"]
