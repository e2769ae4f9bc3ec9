"""Which kinds, levels and releases are taken through the sequence together, and the region of such nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import settings
from settings.model import Kind, Profile
from twin.machines import sketch
from twin.machines.scratch import SETTINGS

# Every kind, and every level on both releases. What the demo and the mutation tests harden is cis-l2 as well.
QUICK = {
    "bookworm": {"edge": "strict", "app": "cis-l1", "bastion": "cis-l2"},
    "trixie": {"archive": "strict", "container_host": "cis-l1", "edge": "cis-l2"},
}


def rest() -> dict[str, dict[str, str]]:
    """The pairs of kind and level that `QUICK` leaves out, as fleets called `<release>-<level>`.

    A fleet has one node per kind. It is called after the level that `edge`, the first kind, has or would
    have in it; each further kind has the next level of the list, so that levels are mixed.
    """
    levels = list(Profile)
    fleets = {}
    for release, done in QUICK.items():
        for first, called in enumerate(levels):
            turn = {
                kind.value: levels[(first + place) % len(levels)].value for place, kind in enumerate(Kind)
            }
            fleets[f"{release}-{called.value}"] = {k: v for k, v in turn.items() if done.get(k) != v}
    return fleets


def release_of(fleet: str) -> str:
    """The release that the nodes of a fleet have."""
    return fleet.partition("-")[0]


def contract(fleet: str, profiles: Mapping[str, str]) -> dict[str, Any]:
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
        "image": {**SETTINGS["image"], "release": release_of(fleet)},
        "server_roles": roles,
        "firewall": [
            _rule(rule, list(roles)) for rule in SETTINGS["firewall"] if "edge" in roles or not _open(rule)
        ],
        "data_classes": {
            name: {**kept, "writers": list(roles), "readers": []}
            for name, kept in SETTINGS["data_classes"].items()
        },
    }
    return sketch.region(settings.parse(stated), f"kinds-{fleet}")


def _open(rule: Mapping[str, Any]) -> bool:
    return "internet" in rule["from"]


def _rule(rule: Mapping[str, Any], roles: list[str]) -> dict[str, Any]:
    """A rule of the lone node, for all of these roles; what the internet may, it may to `edge` only."""
    everybody = {"from": ["internet"]} if _open(rule) else {}
    sides = {side: roles if rule[side] == ["edge"] else rule[side] for side in ("from", "to")}
    return {**rule, **sides, **everybody, **({"to": ["edge"]} if everybody else {})}
