"""Security Hub, Inspector, Macie and Access Analyzer: what judges the account's posture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from twin.program.handlers.regional import Switch
from twin.program.handlers.spec import Call, Plain, Spec, to_aws, to_pulumi


# ---------------------------------------------------------------------- Security Hub
def _put_hub(call: Call) -> None:
    client, given = call.client("securityhub"), call.inputs
    if _get_hub(call) is None:
        client.enable_security_hub(
            EnableDefaultStandards=bool(given.get("enableDefaultStandards", True)),
            ControlFindingGenerator=given.get("controlFindingGenerator", "SECURITY_CONTROL"),
        )
    client.update_security_hub_configuration(
        AutoEnableControls=bool(given.get("autoEnableControls", True)),
        ControlFindingGenerator=given.get("controlFindingGenerator", "SECURITY_CONTROL"),
    )


def _get_hub(call: Call) -> Plain | None:
    client = call.client("securityhub")
    try:
        found = client.describe_hub()
    except (client.exceptions.InvalidAccessException, client.exceptions.ResourceNotFoundException):
        return None
    return {**found, "arn": found["HubArn"]}


@dataclass(frozen=True, kw_only=True)
class Subscription(Spec):
    """A standard that is on; the subscription's ARN is its id."""

    def make(self, call: Call) -> str:
        """BatchEnableStandards; enabling again changes nothing."""
        request = [{"StandardsArn": call.inputs["standardsArn"]}]
        made = call.client("securityhub").batch_enable_standards(StandardsSubscriptionRequests=request)
        return str(made["StandardsSubscriptions"][0]["StandardsSubscriptionArn"])

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """GetEnabledStandards."""
        client = call.client("securityhub")
        try:
            found = client.get_enabled_standards(StandardsSubscriptionArns=[identity])[
                "StandardsSubscriptions"
            ]
        except client.exceptions.InvalidAccessException:
            return None
        return {"arn": identity, "StandardsArn": found[0]["StandardsArn"]} if found else None

    def can_change(self, changed: set[str]) -> bool:
        """Nothing of it."""
        return False

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """BatchDisableStandards."""
        client = call.client("securityhub")
        try:
            client.batch_disable_standards(StandardsSubscriptionArns=[identity])
        except (client.exceptions.InvalidInputException, client.exceptions.InvalidAccessException):
            return


# ---------------------------------------------------------------------- Inspector
_TYPES = {"EC2": "ec2", "ECR": "ecr", "LAMBDA": "lambda", "LAMBDA_CODE": "lambdaCode"}


def _put_inspector(call: Call) -> None:
    client, wanted = call.client("inspector2"), set(call.inputs["resourceTypes"])
    accounts = list(call.inputs["accountIds"])
    on = set((_get_inspector(call) or {}).get("ResourceTypes", []))
    if on - wanted:
        client.disable(accountIds=accounts, resourceTypes=sorted(on - wanted))
    client.enable(accountIds=accounts, resourceTypes=sorted(wanted))


def _get_inspector(call: Call) -> Plain | None:
    accounts = list(call.inputs["accountIds"])
    found = call.client("inspector2").batch_get_account_status(accountIds=accounts)["accounts"]
    on = [
        t for t, name in _TYPES.items() if all(a["resourceState"][name]["status"] == "ENABLED" for a in found)
    ]
    return {"AccountIds": accounts, "ResourceTypes": on} if on else None


@dataclass(frozen=True, kw_only=True)
class Enabler(Switch):
    """What Inspector scans; the id names accounts and types, as the provider's does."""

    def make(self, call: Call) -> str:
        """Enable."""
        _put_inspector(call)
        return "-".join([*sorted(call.inputs["accountIds"]), *sorted(call.inputs["resourceTypes"])])

    def can_change(self, changed: set[str]) -> bool:
        """The types; other accounts are another enabler."""
        return changed <= {"resourceTypes"}


# ---------------------------------------------------------------------- Macie
def _put_macie(call: Call) -> None:
    client, given = call.client("macie2"), call.inputs
    wanted = {name: given[name] for name in ("findingPublishingFrequency", "status") if name in given}
    (client.enable_macie if _get_macie(call) is None else client.update_macie_session)(**wanted)


def _get_macie(call: Call) -> Plain | None:
    client = call.client("macie2")
    try:
        return dict(client.get_macie_session())
    except (client.exceptions.AccessDeniedException, client.exceptions.ResourceNotFoundException):
        return None


@dataclass(frozen=True, kw_only=True)
class Job(Spec):
    """A classification job: it cannot be deleted, only cancelled."""

    def create_params(self, client: Any, call: Call) -> Plain:
        """A weekly schedule is a structure in the API; the token makes it one job."""
        parameters = super().create_params(client, _scheduled(call))
        parameters["tags"] = call.tags
        parameters["clientToken"] = call.token or call.urn
        return parameters

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """DescribeClassificationJob, while Macie is on."""
        client = call.client("macie2")
        try:
            return dict(client.describe_classification_job(jobId=identity))
        except (client.exceptions.AccessDeniedException, client.exceptions.ResourceNotFoundException):
            return None

    def is_dead(self, item: Plain) -> bool:
        """A cancelled job never runs again."""
        return bool(item.get("jobStatus") == "CANCELLED")

    def can_change(self, changed: set[str]) -> bool:
        """Only whether it runs, and its tags."""
        return changed <= {"jobStatus", "tags", "tagsAll"}

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """UpdateClassificationJob and tags."""
        client = call.client("macie2")
        if "jobStatus" in changed:
            client.update_classification_job(jobId=identity, jobStatus=call.inputs["jobStatus"])
        if changed & {"tags", "tagsAll"}:
            arn = call.arn("macie2", f"classification-job/{identity}")
            _retag(client, arn, call.tags)

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Cancel."""
        if self.look(call, identity) is not None:
            call.client("macie2").update_classification_job(jobId=identity, jobStatus="CANCELLED")


def _scheduled(call: Call) -> Call:
    inputs = dict(call.inputs)
    if inputs.get("scheduleFrequency", {}).get("weeklySchedule"):
        weekly = {"weeklySchedule": {"dayOfWeek": inputs["scheduleFrequency"]["weeklySchedule"]}}
        inputs["scheduleFrequency"] = weekly
    return Call(**{**vars(call), "inputs": inputs})


def _job_facts(_call: Call, identity: str, item: Plain) -> Plain:
    weekly = (item.get("scheduleFrequency") or {}).get("weeklySchedule")
    facts: Plain = {
        "jobId": identity,
        "tagsAll": item.get("tags") or {},
        "s3JobDefinition": item["s3JobDefinition"],
    }
    return facts | ({"scheduleFrequency": {"weeklySchedule": weekly["dayOfWeek"]}} if weekly else {})


# ---------------------------------------------------------------------- Access Analyzer
@dataclass(frozen=True, kw_only=True)
class Analyzer(Spec):
    """An analyzer; its name is its id."""

    def create_params(self, client: Any, call: Call) -> Plain:
        """Tags are a mapping here."""
        parameters = super().create_params(client, call)
        parameters["tags"] = call.tags
        return parameters

    def can_change(self, changed: set[str]) -> bool:
        """The configuration, and tags."""
        return changed <= {"configuration", "tags", "tagsAll"}

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """UpdateAnalyzer and tags."""
        client = call.client("accessanalyzer")
        if "configuration" in changed:
            given = to_aws(client, "update_analyzer", {"configuration": call.inputs["configuration"]}, {})
            client.update_analyzer(analyzerName=identity, **given)
        if changed & {"tags", "tagsAll"}:
            _retag(client, call.arn("access-analyzer", f"analyzer/{identity}"), call.tags)


def _analyzer_facts(_call: Call, identity: str, item: Plain) -> Plain:
    facts: Plain = {"arn": item["arn"], "analyzerName": identity, "tagsAll": item.get("tags") or {}}
    return facts | ({"configuration": to_pulumi(item["configuration"])} if item.get("configuration") else {})


def _retag(client: Any, arn: str, wanted: dict[str, str]) -> None:
    """Exactly the tags wanted, in services that keep them as a mapping."""
    stale = sorted(set(client.list_tags_for_resource(resourceArn=arn)["tags"]) - set(wanted))
    if stale:
        client.untag_resource(resourceArn=arn, tagKeys=stale)
    if wanted:
        client.tag_resource(resourceArn=arn, tags=wanted)


def _off(call: Call) -> None:
    try:
        call.client("securityhub").disable_security_hub()
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("InvalidAccessException", "ResourceNotFoundException"):
            raise


SPECS = (
    Switch(
        type="aws:securityhub/account:Account",
        service="securityhub",
        write_only=frozenset({"enableDefaultStandards"}),  # of the moment the hub is switched on
        defaults={"enableDefaultStandards": True},
        put=_put_hub,
        get=_get_hub,
        undo=_off,
    ),
    Subscription(type="aws:securityhub/standardsSubscription:StandardsSubscription", service="securityhub"),
    Enabler(
        type="aws:inspector2/enabler:Enabler",
        service="inspector2",
        put=_put_inspector,
        get=_get_inspector,
        undo=lambda call: call.client("inspector2").disable(
            accountIds=list(call.inputs["accountIds"]), resourceTypes=sorted(call.inputs["resourceTypes"])
        ),
    ),
    Switch(
        type="aws:macie2/account:Account",
        service="macie2",
        put=_put_macie,
        get=_get_macie,
        undo=lambda call: call.client("macie2").disable_macie(),
    ),
    Job(
        type="aws:macie2/classificationJob:ClassificationJob",
        service="macie2",
        create="create_classification_job",
        made="jobId",
        name_input="name",
        max_name=500,
        tags_as="tags",
        more=_job_facts,
    ),
    Analyzer(
        type="aws:accessanalyzer/analyzer:Analyzer",
        service="accessanalyzer",
        create="create_analyzer",
        made="=analyzerName",
        read="get_analyzer",
        by="analyzerName",
        item="analyzer",
        delete="delete_analyzer",
        delete_by="analyzerName",
        defaults={"type": "ACCOUNT"},
        exclusive=True,
        tags_as="tags",
        more=_analyzer_facts,
    ),
)
