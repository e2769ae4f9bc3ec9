"""What a guardrail looks at and what it answers. Plain data only: no Pulumi import, no component import."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NotRequired, TypedDict

from settings.calendar import today


class Planned(TypedDict):
    """One resource as the program registered it; `inputs` under the wire names (camelCase).

    A value that is not known before creation is one of `UNKNOWN`.
    `depends`: per input the URNs of the resources it was computed from; what ids will be, before there are
    any.
    """

    type: str
    name: str
    urn: str
    inputs: dict[str, Any]
    provider: str
    parent: str
    depends: NotRequired[dict[str, list[str]]]
    protect: NotRequired[bool]


# How a value that only creation will tell is written: left out, or as the twin's preview writes it.
UNKNOWN = (None, "(known after creation)")


Place = tuple[str, str]


@dataclass(frozen=True)
class Bounds:
    """What this stack allows: where, for whom, and what the firewall intent opens to everybody.

    `public` holds (protocol, port), e.g. `("tcp", 443)`; `egress` per VPC the (protocol, port) on which the
    intent lets roles of it call everybody.
    """

    region: str
    account: str
    allowed_regions: frozenset[str]
    public: frozenset[tuple[str, int]]
    egress: Mapping[str, frozenset[tuple[str, int]]] = field(default_factory=dict)
    crossings: frozenset[tuple[Place, Place]] | None = (
        None  # (VPC, tier) that reach each other; None: not stated
    )
    # Load balancers that the intent lets the internet reach.
    load_balancers: frozenset[str] = frozenset()
    # Ranges that rules may name: those of sites, and the sources that are bound to customers today.
    ranges: frozenset[str] = frozenset()
    # (group's name, protocol, port) that is open to everybody: load balancers, and accepted exceptions.
    open_to_all: frozenset[tuple[str, str, int]] = frozenset()


def bounds_of(stated: Mapping[str, Any]) -> Bounds:
    """The bounds a stack file states, from its data without the prefix of the keys. KeyError: no such key."""
    opened = frozenset(
        (rule["protocol"], rule["port"]) for rule in stated["firewall"] if "internet" in rule["from"]
    )
    allowed = frozenset(stated["residency"]["allowed_regions"])
    facing = {name for rule in stated["firewall"] if "internet" in rule["from"] for name in rule["to"]}
    return Bounds(
        stated["region"],
        stated["account"],
        allowed,
        opened,
        _egress(stated),
        _crossings(stated),
        frozenset(facing & set(stated.get("load_balancers", {}))),
        _ranges(stated),
        _open_to_all(stated),
    )


def _ranges(stated: Mapping[str, Any]) -> frozenset[str]:
    sites = {str(cidr) for site in stated["sites"].values() for cidr in site["ranges"]}
    sources = [s for c in stated.get("customers", {}).values() for s in c.get("sources", {}).values()]
    return frozenset(sites | {s["cidr"] for s in sources if date.fromisoformat(s["until"]) >= today()})


def _open_to_all(stated: Mapping[str, Any]) -> frozenset[tuple[str, str, int]]:
    """A load balancer's group by its suffix (its web firewall binds); a role's only under an exception."""
    balancers, roles = stated.get("load_balancers", {}), stated["server_roles"]
    found = set()
    for rule in (rule for rule in stated["firewall"] if "internet" in rule["from"]):
        excepted = rule.get("accepted")
        alive = bool(excepted) and date.fromisoformat(excepted["until"]) >= today()
        for name in rule["to"]:
            if name in roles and alive:
                found.add((name, rule["protocol"], rule["port"]))
            elif name in balancers and (alive or balancers[name]["sources"] == "customers"):
                found.add((f"{name}-load-balancer", rule["protocol"], rule["port"]))
    return frozenset(found)


def _crossings(stated: Mapping[str, Any]) -> frozenset[tuple[Place, Place]]:
    """The pairs of (VPC, tier) in different VPCs that some flow joins, each in both orders."""
    places: dict[str, Place] = {
        name: (role["vpc"], role["tier"]) for name, role in stated["server_roles"].items()
    }
    places |= {name: (it["vpc"], "public") for name, it in stated.get("load_balancers", {}).items()}
    ends = [
        (places[source], places[target])
        for rule in stated["firewall"]
        for source in rule["from"]
        for target in rule["to"]
        if source in places and target in places
    ]
    return frozenset(pair for a, b in ends if a[0] != b[0] for pair in ((a, b), (b, a)))


def _egress(stated: Mapping[str, Any]) -> dict[str, frozenset[tuple[str, int]]]:
    found: dict[str, set[tuple[str, int]]] = {}
    for rule in stated["firewall"]:
        if "internet" in rule["to"]:
            for role in rule["from"]:
                vpc = stated["server_roles"][role]["vpc"]
                found.setdefault(vpc, set()).add((rule["protocol"], rule["port"]))
    return {vpc: frozenset(calls) for vpc, calls in found.items()}


@dataclass(frozen=True, order=True)
class Finding:
    """One broken rule: which rule, which resource, what is wrong, and what mends it."""

    rule: str
    urn: str
    problem: str
    fix: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.urn}: {self.problem}; {self.fix}"


Guardrail = Callable[[Sequence[Planned], Bounds], Iterator[Finding]]


def of_type(resources: Sequence[Planned], *types: str) -> Iterator[Planned]:
    """The resources of these types. A type is matched whole, e.g. `aws:s3/bucket:Bucket`."""
    return (resource for resource in resources if resource["type"] in types)


def at(inputs: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, lists included (`rules.0.x`), or None where the path ends early."""
    value: Any = inputs
    for step in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, Sequence) and not isinstance(value, str) and step.isdigit():
            value = value[int(step)] if int(step) < len(value) else None
        else:
            return None
    return value


def differing(inputs: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """One text for each path whose value is not the wanted one."""
    return [
        f"{path} is {at(inputs, path)!r}, not {value!r}"
        for path, value in wanted.items()
        if not _same(at(inputs, path), value)
    ]


def _same(found: Any, wanted: Any) -> bool:
    # EC2's templates write booleans as text; the wire has one kind of number, so 1 may come as 1.0.
    if isinstance(wanted, bool):
        return found is wanted or found == str(wanted).lower()
    return bool(found == wanted) and not isinstance(found, bool)


def configured(value: Any) -> Any:
    """A provider's structured input, which travels as JSON text, as data."""
    return json.loads(value) if isinstance(value, str) and value[:1] in ("[", "{") else value


def statements(policy: Any) -> list[dict[str, Any]]:
    """The statements of a policy given as JSON text or data; none when it is not known yet.

    Raises ValueError when the text is no policy: a policy that cannot be read is never a harmless one.
    """
    if policy in UNKNOWN:
        return []
    document = json.loads(policy) if isinstance(policy, str) else policy
    found = document["Statement"]
    return found if isinstance(found, list) else [found]


def listed(value: Any) -> list[Any]:
    """A policy's scalar-or-list as a list."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
