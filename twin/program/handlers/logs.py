"""CloudWatch log groups and Secrets Manager secrets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from twin.program.handlers.spec import Call, Plain, Setting, Spec, tag_list, tags_of


def _retention(call: Call, identity: str) -> None:
    client, days = call.client("logs"), int(call.inputs.get("retentionInDays") or 0)
    if days:
        client.put_retention_policy(logGroupName=identity, retentionInDays=days)
    else:
        client.delete_retention_policy(logGroupName=identity)


def _key(call: Call, identity: str) -> None:
    client, key = call.client("logs"), call.inputs.get("kmsKeyId")
    if key:
        client.associate_kms_key(logGroupName=identity, kmsKeyId=key)
    else:
        client.disassociate_kms_key(logGroupName=identity)


@dataclass(frozen=True, kw_only=True)
class LogGroup(Spec):
    """A log group; its name is its id."""

    def create_params(self, client: Any, call: Call) -> Plain:
        """Tags are a mapping here; the key is best given at birth."""
        parameters = super().create_params(client, call)
        parameters.pop("tags", None)
        if call.tags:
            parameters["tags"] = call.tags
        if call.inputs.get("kmsKeyId"):
            parameters["kmsKeyId"] = call.inputs["kmsKeyId"]
        return parameters

    def settle(self, call: Call, identity: str) -> None:
        """Retention has its own operation."""
        if call.inputs.get("retentionInDays"):
            _retention(call, identity)

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """The group of exactly this name."""
        found = call.client("logs").describe_log_groups(logGroupNamePrefix=identity)["logGroups"]
        exact = [group for group in found if group["logGroupName"] == identity]
        return dict(exact[0]) if exact else None

    def retag(self, call: Call, identity: str) -> None:
        """Exactly the tags wanted."""
        client, arn = call.client("logs"), call.arn("logs", f"log-group:{identity}")
        stale = set(client.list_tags_for_resource(resourceArn=arn)["tags"]) - set(call.tags)
        if stale:
            client.untag_resource(resourceArn=arn, tagKeys=sorted(stale))
        client.tag_resource(resourceArn=arn, tags=call.tags)


def _group_facts(call: Call, identity: str, item: Plain) -> Plain:
    arn = call.arn("logs", f"log-group:{identity}")
    tags = call.client("logs").list_tags_for_resource(resourceArn=arn)["tags"]
    return {"arn": arn, "name": item["logGroupName"], "tagsAll": tags}


@dataclass(frozen=True, kw_only=True)
class Secret(Spec):
    """A secret without its value."""

    def is_dead(self, item: Plain) -> bool:
        """Scheduled for deletion is gone for us."""
        return "DeletedDate" in item

    def can_change(self, changed: set[str]) -> bool:
        """UpdateSecret takes these."""
        return changed <= {"description", "kmsKeyId", "tags", "tagsAll", "recoveryWindowInDays"}

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """Description and key, then tags."""
        client = call.client("secretsmanager")
        names = {"description": "Description", "kmsKeyId": "KmsKeyId"}
        given = {names[n]: call.inputs.get(n) or "" for n in changed if n in names}
        if given:
            client.update_secret(SecretId=identity, **given)
        if changed & {"tags", "tagsAll"}:
            stale = set(tags_of(client.describe_secret(SecretId=identity))) - set(call.tags)
            client.untag_resource(SecretId=identity, TagKeys=sorted(stale))
            client.tag_resource(SecretId=identity, Tags=tag_list(call.tags))

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """With the recovery window of the program; none when it is zero."""
        days = int(call.inputs.get("recoveryWindowInDays", 30))
        how: Plain = {"ForceDeleteWithoutRecovery": True} if days == 0 else {"RecoveryWindowInDays": days}
        try:
            call.client("secretsmanager").delete_secret(SecretId=identity, **how)
        except ClientError as error:
            if not self.means_gone(error):
                raise


@dataclass(frozen=True, kw_only=True)
class SecretVersion(Spec):
    """A secret's value."""

    def identify(self, call: Call, answer: Plain) -> str:
        """Secret and version."""
        return f"{answer['ARN']}|{answer['VersionId']}"

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """The value of this version."""
        secret, version = identity.split("|")
        try:
            found = call.client("secretsmanager").get_secret_value(SecretId=secret, VersionId=version)
        except ClientError as error:
            if self.means_gone(error) or error.response["Error"]["Code"] == "InvalidRequestException":
                return None
            raise
        return {**found, "SecretId": call.inputs.get("secretId", secret)}

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Versions go with their secret."""


SPECS = (
    LogGroup(
        type="aws:cloudwatch/logGroup:LogGroup",
        service="logs",
        create="create_log_group",
        made="=name",
        delete="delete_log_group",
        delete_by="logGroupName",
        rename={"name": "logGroupName"},
        name_input="name",
        max_name=512,
        exclusive=True,
        tags_as="tags",
        write_only=frozenset({"skipDestroy"}),  # what happens on deletion, not a property of the group
        after=(Setting(("retentionInDays",), _retention), Setting(("kmsKeyId",), _key)),
        more=_group_facts,
    ),
    Secret(
        type="aws:secretsmanager/secret:Secret",
        service="secretsmanager",
        create="create_secret",
        made="ARN",
        read="describe_secret",
        by="SecretId",
        name_input="name",
        max_name=512,
        exclusive=True,
        tags_as="Tags",
        write_only=frozenset(
            {"recoveryWindowInDays", "forceOverwriteReplicaSecret"}
        ),  # of deletion and replicas
        outputs={"arn": "ARN"},
    ),
    SecretVersion(
        type="aws:secretsmanager/secretVersion:SecretVersion",
        service="secretsmanager",
        create="put_secret_value",
        outputs={"arn": "ARN"},
        secret_outputs=frozenset({"secretString", "secretBinary"}),
    ),
)
