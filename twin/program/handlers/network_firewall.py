"""AWS Network Firewall: rule groups, policies, firewalls and where they log to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from twin.program.handlers.spec import Call, Plain, Setting, Spec, tag_list, tags_of, to_aws, to_pulumi

_SERVICE = "network-firewall"


@dataclass(frozen=True, kw_only=True)
class Ruled(Spec):
    """A rule group or policy: its body is a structure, and every change names the version it changes."""

    word: str  # RuleGroup or FirewallPolicy
    body: str  # the input that holds the body
    update: str

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """Body and description, one level."""
        try:
            found = getattr(call.client(_SERVICE), self.read)(**{self.by: identity})
        except ClientError as error:
            if self.means_gone(error):
                return None
            raise
        return {**found[f"{self.word}Response"], self.word: found[self.word], "Token": found["UpdateToken"]}

    def is_dead(self, item: Plain) -> bool:
        """While it goes it is gone."""
        return bool(item[f"{self.word}Status"] == "DELETING")

    def can_change(self, changed: set[str]) -> bool:
        """Body, description, tags."""
        return changed <= {self.body, "description", "tags", "tagsAll"}

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """Update with the token of what is there."""
        client = call.client(_SERVICE)
        if changed & {self.body, "description"}:
            item = self.fetch(call, identity) or {}
            given = {k: call.inputs[k] for k in (self.body, "description") if k in call.inputs}
            parameters = to_aws(client, self.update, given, self.rename)
            getattr(client, self.update)(**parameters, **{self.by: identity}, UpdateToken=item["Token"])
        if changed & {"tags", "tagsAll"}:
            self.retag(call, identity)

    def retag(self, call: Call, identity: str) -> None:
        """Exactly the tags wanted."""
        _retag(call, identity)


def _retag(call: Call, identity: str) -> None:
    client = call.client(_SERVICE)
    stale = set(tags_of(client.list_tags_for_resource(ResourceArn=identity))) - set(call.tags)
    if stale:
        client.untag_resource(ResourceArn=identity, TagKeys=sorted(stale))
    client.tag_resource(ResourceArn=identity, Tags=tag_list(call.tags))


def _group_facts(_call: Call, identity: str, item: Plain) -> Plain:
    return {"arn": identity, "name": item["RuleGroupName"], "ruleGroup": to_pulumi(item["RuleGroup"])}


def _policy_facts(_call: Call, identity: str, item: Plain) -> Plain:
    body = to_pulumi(item["FirewallPolicy"])
    return {"arn": identity, "name": item["FirewallPolicyName"], "firewallPolicy": body}


# ---------------------------------------------------------------------- firewalls
_PROTECTIONS = {
    "deleteProtection": "update_firewall_delete_protection",
    "subnetChangeProtection": "update_subnet_change_protection",
    "firewallPolicyChangeProtection": "update_firewall_policy_change_protection",
}


class Firewall(Spec):
    """A firewall with an endpoint in each of its subnets."""

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """Description and status, one level."""
        client = call.client(_SERVICE)
        try:
            found = client.describe_firewall(FirewallArn=identity)
        except ClientError as error:
            if self.means_gone(error):
                return None
            raise
        return {**found["Firewall"], "FirewallStatus": found["FirewallStatus"]}

    def is_dead(self, item: Plain) -> bool:
        """While it goes it is gone."""
        return bool(item["FirewallStatus"]["Status"] == "DELETING")

    def create_params(self, client: Any, call: Call) -> Plain:
        """Protections belong to the creation too."""
        words = {name: name[:1].upper() + name[1:] for name in _PROTECTIONS}
        given = {words[name]: bool(call.inputs[name]) for name in words if name in call.inputs}
        return super().create_params(client, call) | given

    def settle(self, call: Call, identity: str) -> None:
        """Everything was in the creation."""

    def retag(self, call: Call, identity: str) -> None:
        """Exactly the tags wanted."""
        _retag(call, identity)

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """AWS refuses while it is protected; only an account that ends has the protection lifted for it."""
        if call.ending and self.fetch(call, identity) is not None:
            client = call.client(_SERVICE)
            client.update_firewall_delete_protection(FirewallArn=identity, DeleteProtection=False)
        super().drop(call, identity, outputs)


def _protection(name: str) -> Setting:
    def apply(call: Call, identity: str) -> None:
        word = name[:1].upper() + name[1:]
        update = getattr(call.client(_SERVICE), _PROTECTIONS[name])
        update(FirewallArn=identity, **{word: bool(call.inputs.get(name))})

    return Setting((name,), apply)


def _firewall_facts(_call: Call, identity: str, item: Plain) -> Plain:
    states = [
        {"availabilityZone": zone, "attachments": [to_pulumi(state["Attachment"])]}
        for zone, state in item["FirewallStatus"].get("SyncStates", {}).items()
    ]
    return {
        "arn": identity,
        "name": item["FirewallName"],
        "firewallStatuses": [{"syncStates": states}],
        "subnetMappings": to_pulumi(item["SubnetMappings"]),
    }


# ---------------------------------------------------------------------- logging
class Logging(Spec):
    """Where a firewall logs to; AWS takes one change of it at a time."""

    def make(self, call: Call) -> str:
        """Log by log."""
        self._steps(call, self._wanted(call))
        return str(call.inputs["firewallArn"])

    def _wanted(self, call: Call) -> list[Plain]:
        client = call.client(_SERVICE)
        given = {"loggingConfiguration": call.inputs["loggingConfiguration"]}
        body = to_aws(client, "update_logging_configuration", given, {})["LoggingConfiguration"]
        return list(body["LogDestinationConfigs"])

    def _steps(self, call: Call, wanted: list[Plain]) -> None:
        """From what is there to what is wanted: take away one by one, then add one by one."""
        arn = call.inputs["firewallArn"]
        item = self.fetch(call, arn) or {}
        now = list(item.get("LoggingConfiguration", {}).get("LogDestinationConfigs", []))
        for stale in [config for config in now if config not in wanted]:
            now.remove(stale)
            self._put(call, arn, now)
        for config in wanted:
            if config not in now:
                now.append(config)
                self._put(call, arn, now)

    def _put(self, call: Call, arn: str, configs: list[Plain]) -> None:
        call.client(_SERVICE).update_logging_configuration(
            FirewallArn=arn, LoggingConfiguration={"LogDestinationConfigs": configs}
        )

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """The firewall's configuration; none when it logs nowhere."""
        try:
            found = call.client(_SERVICE).describe_logging_configuration(FirewallArn=identity)
        except ClientError as error:
            if self.means_gone(error):
                return None
            raise
        return dict(found) if found.get("LoggingConfiguration") else None

    def is_dead(self, item: Plain) -> bool:
        """A setting has no life of its own."""
        return False

    def can_change(self, changed: set[str]) -> bool:
        """Where to."""
        return changed <= {"loggingConfiguration"}

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """Step by step."""
        self._steps(call, self._wanted(call))

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """One by one to none."""
        if self.fetch(call, identity) is not None:
            self._steps(call, [])


def _logging_facts(_call: Call, _identity: str, item: Plain) -> Plain:
    return {"loggingConfiguration": to_pulumi(item["LoggingConfiguration"])}


def _ruled(word: str, kind: str) -> dict[str, Any]:
    operation = "rule_group" if word == "RuleGroup" else "firewall_policy"
    return {
        "type": f"aws:networkfirewall/{kind[:1].lower()}{kind[1:]}:{kind}",
        "service": _SERVICE,
        "word": word,
        "body": word[:1].lower() + word[1:],
        "create": f"create_{operation}",
        "made": f"{word}Response.{word}Arn",
        "read": f"describe_{operation}",
        "by": f"{word}Arn",
        "update": f"update_{operation}",
        "delete": f"delete_{operation}",
        "delete_by": f"{word}Arn",
        "name_input": "name",
        "rename": {"name": f"{word}Name"},
        "tags_as": "Tags",
    }


SPECS: tuple[Spec, ...] = (
    Ruled(**_ruled("RuleGroup", "RuleGroup"), more=_group_facts),
    Ruled(**_ruled("FirewallPolicy", "FirewallPolicy"), more=_policy_facts),
    Firewall(
        type="aws:networkfirewall/firewall:Firewall",
        service=_SERVICE,
        create="create_firewall",
        made="Firewall.FirewallArn",
        delete="delete_firewall",
        delete_by="FirewallArn",
        name_input="name",
        rename={"name": "FirewallName"},
        tags_as="Tags",
        exclusive=True,
        after=tuple(_protection(name) for name in _PROTECTIONS),
        more=_firewall_facts,
    ),
    Logging(
        type="aws:networkfirewall/loggingConfiguration:LoggingConfiguration",
        service=_SERVICE,
        more=_logging_facts,
    ),
)
