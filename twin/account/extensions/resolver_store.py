"""What DNS Firewall holds in one region, beside moto's own Route 53 Resolver objects."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.moto_api._internal import mock_random
from moto.route53resolver.exceptions import ResourceNotFoundException

Item = dict[str, Any]

LISTS, GROUPS, ASSOCIATIONS = "firewall-domain-list", "firewall-rule-group", "firewall-rule-group-association"
_PREFIX = {LISTS: "rslvr-fdl", GROUPS: "rslvr-frg", ASSOCIATIONS: "rslvr-frgassoc"}


class Conflict(JsonRESTError):
    """The request contradicts another resource, or a protection."""

    code = 400

    def __init__(self, message: str) -> None:
        super().__init__("ConflictException", message)


class Invalid(JsonRESTError):
    """The request's values do not fit."""

    code = 400

    def __init__(self, message: str) -> None:
        super().__init__("ValidationException", message)


class Store:
    """Domain lists, rule groups, rules, associations, and each VPC's failure mode."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self.items: dict[str, Item] = {}
        self.rules: list[Item] = []
        self.configs: dict[str, Item] = {}

    def add(self, kind: str, given: Item, facts: Item) -> Item:
        """A new object of a kind, with its id, ARN and tags."""
        identity = f"{_PREFIX[kind]}-{mock_random.get_random_hex(17)}"
        where = f"{self.backend.region_name}:{self.backend.account_id}"
        arn = f"arn:aws:route53resolver:{where}:{kind}/{identity}"
        now = datetime.now(UTC).isoformat()
        item = {k: v for k, v in given.items() if k != "Tags"} | facts
        item |= {"Id": identity, "Arn": arn, "Status": "COMPLETE", "StatusMessage": "Finished"}
        item |= {"CreationTime": now, "ModificationTime": now}
        self.items[identity] = item
        self.backend.tagger.tag_resource(arn, given.get("Tags") or [])
        return item

    def of(self, kind: str) -> dict[str, Item]:
        """Every object of a kind, by id."""
        prefix = f"{_PREFIX[kind]}-"
        return {identity: item for identity, item in self.items.items() if identity.startswith(prefix)}

    def get(self, kind: str, identity: str) -> Item:
        """One object; ResourceNotFoundException when there is none."""
        found = self.of(kind).get(identity)
        if found is None:
            raise ResourceNotFoundException(f"[RSLVR-02001] No {kind} with ID '{identity}' exists")
        return found

    def remove(self, kind: str, identity: str) -> Item:
        """Forget an object; the answer describes it as AWS does while it goes."""
        item = self.get(kind, identity)
        del self.items[identity]
        return {**item, "Status": "DELETING"}

    def vpc(self, identity: str) -> None:
        """Refuse a VPC that does not exist."""
        if identity not in self.backend.ec2_backend.vpcs:
            raise ResourceNotFoundException(f"[RSLVR-02025] The VPC '{identity}' does not exist")

    def config(self, vpc: str) -> Item:
        """A VPC's failure mode; closed until somebody opens it."""
        self.vpc(vpc)
        empty = {"Id": f"rslvr-fc-{mock_random.get_random_hex(17)}", "ResourceId": vpc}
        empty |= {"OwnerId": self.backend.account_id, "FirewallFailOpen": "DISABLED"}
        return self.configs.setdefault(vpc, empty)


def store(backend: Any) -> Store:
    """The region's store."""
    found: Store = backend.__dict__.setdefault("dns_firewall", Store(backend))
    return found
