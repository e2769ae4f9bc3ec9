"""The table: Pulumi type → handler. A type that is not here does not exist for the twin."""

from __future__ import annotations

from twin.program.handlers.spec import Spec

_TABLE: dict[str, Spec] = {}


def find(kind: str) -> Spec | None:
    """The handler of a Pulumi type token, e.g. "aws:ec2/vpc:Vpc"."""
    return _TABLE.get(kind)


def types() -> list[str]:
    """Every type the twin can make."""
    return sorted(_TABLE)


def _fill() -> None:
    from twin.program.handlers import (  # noqa: PLC0415 - the handlers import Spec from this package
        acls,
        alarms,
        backup,
        balancing,
        budgets,
        compute,
        endpoints,
        events,
        firewalls,
        flow_logs,
        functions,
        gateways,
        guardduty,
        iam,
        ipv6,
        kms,
        listeners,
        logs,
        network,
        network_firewall,
        notices,
        objects,
        peering,
        posture,
        recording,
        regional,
        resolver,
        routes,
        s3,
        s3_protection,
        service_roles,
        shield,
        trail,
        transit,
        vended_logs,
        vpc_public_access,
        vpn,
        waf,
    )

    for module in (
        network,
        routes,
        endpoints,
        flow_logs,
        peering,
        gateways,
        ipv6,
        firewalls,
        acls,
        vpn,
        compute,
        regional,
        kms,
        s3,
        backup,
        s3_protection,
        iam,
        functions,
        logs,
        resolver,
        vended_logs,
        vpc_public_access,
        service_roles,
        objects,
        trail,
        recording,
        guardduty,
        posture,
        balancing,
        listeners,
        waf,
        shield,
        alarms,
        budgets,
        events,
        notices,
        transit,
        network_firewall,
    ):
        for spec in module.SPECS:
            _TABLE[spec.type] = spec


_fill()
