"""AWS WAF v2: IP sets, web ACLs, what they guard and where they log. Every change carries a lock token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from twin.program.handlers.spec import Call, Plain, Setting, Spec, tag_list, tags_of, to_aws, to_pulumi

_WAF = "wafv2"
_CHANGED = "WAFOptimisticLockException"
_TRIES = 3


def to_api(value: Any) -> Any:
    """The provider's shape as the API's, where they differ: it lists what the API has once."""
    if isinstance(value, list):
        return [to_api(item) for item in value]
    if not isinstance(value, dict):
        return value
    found: Plain = {}
    for name, inner in value.items():
        if name == "notStatement":
            found[name] = {"statement": to_api(inner["statements"][0])}
        elif name in ("headers", "cookies") and isinstance(inner, list):
            found[name] = to_api(inner[0])
        else:
            found[name] = to_api(inner)
    return found


def from_api(value: Any) -> Any:
    """The way back, of an answer in the wire's spelling."""
    if isinstance(value, list):
        return [from_api(item) for item in value]
    if not isinstance(value, dict):
        return value
    found: Plain = {}
    for name, inner in value.items():
        if name == "notStatement":
            found[name] = {"statements": [from_api(inner["statement"])]}
        elif name in ("headers", "cookies") and isinstance(inner, dict):
            found[name] = [from_api(inner)]
        elif name == "cloudWatchMetricsEnabled":
            found["cloudwatchMetricsEnabled"] = inner
        else:
            found[name] = from_api(inner)
    return found


@dataclass(frozen=True, kw_only=True)
class Locked(Spec):
    """A resource with an id, a name and a scope; `get`, `update` and `delete` name all three."""

    update: str
    body: str  # member of the answer that holds the resource
    changeable: tuple[str, ...]

    def _key(self, call: Call, identity: str) -> Plain:
        return {"Name": call.inputs["name"], "Scope": call.inputs["scope"], "Id": identity}

    def create_params(self, client: Any, call: Call) -> Plain:
        """The inputs as the API has them."""
        inputs = {k: to_api(v) for k, v in call.inputs.items() if k not in self.known_inputs}
        return to_aws(client, self.create, inputs, {}) | ({"Tags": tag_list(call.tags)} if call.tags else {})

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """The resource with its tags and the token a change needs."""
        client = call.client(_WAF)
        try:
            answer = getattr(client, self.read)(**self._key(call, identity))
        except ClientError as error:
            if self.means_gone(error):
                return None
            raise
        found = answer[self.body]
        tags = client.list_tags_for_resource(ResourceARN=found["ARN"])["TagInfoForResource"]
        return {**found, "Tags": tags.get("TagList", []), "LockToken": answer["LockToken"]}

    def can_change(self, changed: set[str]) -> bool:
        """What UpdateWebACL and UpdateIPSet replace."""
        return changed <= {"tags", "tagsAll", *self.changeable}

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """All of it again, as the API wants it: what is not sent is gone."""
        if changed & set(self.changeable):
            client = call.client(_WAF)
            inputs = {k: to_api(call.inputs[k]) for k in self.changeable if k in call.inputs}
            params = to_aws(client, self.update, inputs, {})
            self._with_token(call, identity, self.update, params)
        if changed & {"tags", "tagsAll"}:
            self.retag(call, identity)

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Delete, if it is still there."""
        try:
            self._with_token(call, identity, self.delete, {})
        except ClientError as error:
            if not self.means_gone(error):
                raise

    def _with_token(self, call: Call, identity: str, operation: str, params: Plain) -> None:
        client, key = call.client(_WAF), self._key(call, identity)
        for last in range(1, _TRIES + 1):
            token = getattr(client, self.read)(**key)["LockToken"]
            try:
                getattr(client, operation)(**key, **params, LockToken=token)
            except ClientError as error:
                # Somebody else changed it between the two calls.
                if error.response["Error"]["Code"] != _CHANGED or last == _TRIES:
                    raise
            else:
                return

    def retag(self, call: Call, identity: str) -> None:
        """Exactly the tags wanted."""
        client, found = call.client(_WAF), self.fetch(call, identity)
        if found is None:
            return
        stale = set(tags_of(found)) - set(call.tags)
        if stale:
            client.untag_resource(ResourceARN=found["ARN"], TagKeys=sorted(stale))
        if call.tags:
            client.tag_resource(ResourceARN=found["ARN"], Tags=tag_list(call.tags))

    def means_gone(self, error: ClientError) -> bool:
        """WAF has a word of its own for it."""
        return error.response["Error"]["Code"] == "WAFNonexistentItemException"


def _set_facts(call: Call, _identity: str, item: Plain) -> Plain:
    return {
        "arn": item["ARN"],
        "scope": call.inputs["scope"],
        "ipAddressVersion": item["IPAddressVersion"],
        "lockToken": item["LockToken"],
    }


def _acl_facts(call: Call, _identity: str, item: Plain) -> Plain:
    nested = {name: item[member] for name, member in _NESTED.items() if member in item}
    return {
        "arn": item["ARN"],
        "scope": call.inputs["scope"],
        "capacity": item["Capacity"],
        "lockToken": item["LockToken"],
        **{name: from_api(to_pulumi(value)) for name, value in nested.items()},
    }


_NESTED = {"rules": "Rules", "defaultAction": "DefaultAction", "visibilityConfig": "VisibilityConfig"}


# ---------------------------------------------------------------------- associations and logs
@dataclass(frozen=True, kw_only=True)
class Association(Spec):
    """A web ACL in front of a resource."""

    def make(self, call: Call) -> str:
        """AssociateWebACL says nothing back; both ARNs are the id."""
        acl, resource = call.inputs["webAclArn"], call.inputs["resourceArn"]
        with call.aws.once(call.token):
            call.client(_WAF).associate_web_acl(WebACLArn=acl, ResourceArn=resource)
        return f"{acl},{resource}"

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """Only while this web ACL is the resource's."""
        acl, _, resource = identity.partition(",")
        found = call.client(_WAF).get_web_acl_for_resource(ResourceArn=resource).get("WebACL") or {}
        return {"WebAclArn": acl, "ResourceArn": resource} if found.get("ARN") == acl else None

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """DisassociateWebACL, unless another web ACL has taken its place."""
        if self.fetch(call, identity) is not None:
            call.client(_WAF).disassociate_web_acl(ResourceArn=identity.partition(",")[2])


def _log(call: Call, _identity: str = "") -> None:
    client = call.client(_WAF)
    inputs = {k: v for k, v in call.inputs.items() if k not in Spec.known_inputs}
    client.put_logging_configuration(
        **to_aws(client, "put_logging_configuration", {"loggingConfiguration": inputs}, {})
    )


@dataclass(frozen=True, kw_only=True)
class Logging(Spec):
    """Where a web ACL logs; its ARN is the id."""

    def make(self, call: Call) -> str:
        """PutLoggingConfiguration."""
        with call.aws.once(call.token):
            _log(call)
        return str(call.inputs["resourceArn"])

    def settle(self, call: Call, identity: str) -> None:
        """Complete since its creation."""

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """GetLoggingConfiguration."""
        try:
            found = call.client(_WAF).get_logging_configuration(ResourceArn=identity)
        except ClientError as error:
            if error.response["Error"]["Code"] == "WAFNonexistentItemException":
                return None
            raise
        return dict(found["LoggingConfiguration"])

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """DeleteLoggingConfiguration."""
        if self.fetch(call, identity) is not None:
            call.client(_WAF).delete_logging_configuration(ResourceArn=identity)


def _log_facts(_call: Call, _identity: str, item: Plain) -> Plain:
    return {"redactedFields": to_pulumi(item.get("RedactedFields", []))}


SPECS = (
    Locked(
        type="aws:wafv2/ipSet:IpSet",
        service=_WAF,
        create="create_ip_set",
        made="Summary.Id",
        read="get_ip_set",
        body="IPSet",
        update="update_ip_set",
        delete="delete_ip_set",
        changeable=("addresses", "description"),
        name_input="name",
        exclusive=True,
        tags_as="Tags",
        more=_set_facts,
    ),
    Locked(
        type="aws:wafv2/webAcl:WebAcl",
        service=_WAF,
        create="create_web_acl",
        made="Summary.Id",
        read="get_web_acl",
        body="WebACL",
        update="update_web_acl",
        delete="delete_web_acl",
        changeable=("rules", "defaultAction", "visibilityConfig", "description"),
        name_input="name",
        exclusive=True,
        tags_as="Tags",
        more=_acl_facts,
    ),
    Association(type="aws:wafv2/webAclAssociation:WebAclAssociation", service=_WAF),
    Logging(
        type="aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration",
        service=_WAF,
        after=(Setting(("logDestinationConfigs", "redactedFields"), _log),),
        more=_log_facts,
    ),
)
