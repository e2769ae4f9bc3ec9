"""Settings of a region with one node of each stated kind, each hardened to its own level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import settings
from twin.machines import sketch
from twin.machines.scratch import SETTINGS


def contract(release: str, profiles: Mapping[str, str]) -> dict[str, Any]:
    """The region contract of one node per kind, by kind and level; `edge` alone faces the internet."""
    roles = {
        kind.replace("_", ""): {
            "kind": kind,
            "vpc": "customer",
            "tier": "public" if kind == "edge" else "private",
            "count": 1,
            "instance_type": "m7i.large",
            "profile": profile,
        }
        for kind, profile in profiles.items()
    }
    stated = {
        **SETTINGS,
        "image": {**SETTINGS["image"], "release": release},
        "server_roles": roles,
        "firewall": [_rule(rule, list(roles)) for rule in SETTINGS["firewall"]],
    }
    return sketch.region(settings.parse(stated), f"kinds-{release}")


def _rule(rule: Mapping[str, Any], roles: list[str]) -> dict[str, Any]:
    """A rule of the lone node, for all of these roles; what the internet may, it may to `edge` only."""
    everybody = {"from": ["internet"]} if "internet" in rule["from"] else {}
    sides = {side: roles if rule[side] == ["edge"] else rule[side] for side in ("from", "to")}
    return {**rule, **sides, **everybody, **({"to": ["edge"]} if everybody else {})}
