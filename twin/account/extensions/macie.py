"""Macie: off until somebody switches it on; sessions that can be changed, classification jobs, tags.

Amazon Macie API reference: EnableMacie, UpdateMacieSession, GetMacieSession, CreateClassificationJob and what
reads and changes jobs. GetMacieSession of an account without Macie is AccessDeniedException.
"""

from __future__ import annotations

import functools
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.macie2 import urls
from moto.macie2.models import MacieBackend
from moto.macie2.responses import MacieResponse
from moto.moto_api._internal import mock_random

from twin.account.extensions.placing import place
from twin.account.extensions.rest import asked, retag, route

# UpdateClassificationJob: which status may follow which.
_FOLLOWS = {
    "USER_PAUSED": {"RUNNING", "IDLE"},
    "RUNNING": {"USER_PAUSED"},
    "CANCELLED": {"RUNNING", "IDLE", "PAUSED", "USER_PAUSED"},
}


class NotEnabled(ServiceException):
    """Macie is off."""

    code = "AccessDeniedException"
    message = "Macie is not enabled."


class Conflict(ServiceException):
    """It is there already."""

    code = "ConflictException"


class Missing(ServiceException):
    """No such job."""

    code = "ResourceNotFoundException"
    message = "The request failed because the specified resource doesn't exist."


class Invalid(ServiceException):
    """A parameter that AWS refuses."""

    code = "ValidationException"


def install() -> None:
    """Let every region begin without Macie, and add what is missing."""
    begin = MacieBackend.__init__

    @functools.wraps(begin)
    def without_session(self: Any, region_name: str, account_id: str) -> None:
        begin(self, region_name, account_id)
        self.macie_session = None
        self.jobs = {}

    place(MacieBackend, __init__=without_session)
    place(
        MacieResponse,
        get_macie_session=get_macie_session,
        enable_macie=enable_macie,
        update_macie_session=update_macie_session,
        create_classification_job=create_classification_job,
        describe_classification_job=describe_classification_job,
        update_classification_job=update_classification_job,
        list_classification_jobs=list_classification_jobs,
        list_tags_for_resource=_list_tags,
        tag_resource=_change_tags,
        untag_resource=_change_tags,
    )
    route(urls, MacieResponse, "/jobs$", "/jobs/(?P<job_id>[^/]+)$", "/tags/(?P<arn>.+)$")


def _backend(response: Any) -> Any:
    if response.macie_backend.macie_session is None:
        raise NotEnabled()
    return response.macie_backend


def get_macie_session(self: Any) -> ActionResult:
    """GetMacieSession."""
    return ActionResult(dict(_backend(self).macie_session))


def enable_macie(self: Any) -> EmptyResult:
    """EnableMacie; a second time is a conflict."""
    if self.macie_backend.macie_session is not None:
        raise Conflict("Macie has already been enabled.")
    given = asked(self)
    self.macie_backend.enable_macie(
        given.get("findingPublishingFrequency", "FIFTEEN_MINUTES"), given.get("status", "ENABLED")
    )
    return EmptyResult()


def update_macie_session(self: Any) -> EmptyResult:
    """UpdateMacieSession: what is named changes."""
    _backend(self).macie_session.update(asked(self), updatedAt=utcnow())
    return EmptyResult()


def create_classification_job(self: Any) -> ActionResult:
    """CreateClassificationJob: a scheduled job waits (IDLE) for its day unless it is told to run at once."""
    backend, given = _backend(self), asked(self)
    scheduled = given["jobType"] == "SCHEDULED"
    if scheduled != ("scheduleFrequency" in given):
        raise Invalid("A schedule is given for a scheduled job, and only for one.")
    identity = mock_random.get_random_hex(length=32)
    arn = f"arn:aws:macie2:{self.region}:{self.current_account}:classification-job/{identity}"
    status = "RUNNING" if not scheduled or given.get("initialRun") else "IDLE"
    given.setdefault("samplingPercentage", 100)
    given.setdefault("managedDataIdentifierSelector", "RECOMMENDED")
    backend.jobs[identity] = given | {
        "jobId": identity,
        "jobArn": arn,
        "jobStatus": status,
        "createdAt": utcnow(),
    }
    return ActionResult({"jobId": identity, "jobArn": arn})


def _job(response: Any) -> dict[str, Any]:
    found: dict[str, Any] | None = _backend(response).jobs.get(asked(response)["jobId"])
    if found is None:
        raise Missing()
    return found


def describe_classification_job(self: Any) -> ActionResult:
    """DescribeClassificationJob."""
    return ActionResult(_job(self))


def update_classification_job(self: Any) -> EmptyResult:
    """UpdateClassificationJob: pause, resume, cancel; a cancelled job stays cancelled."""
    job, wanted = _job(self), asked(self)["jobStatus"]
    if job["jobStatus"] not in _FOLLOWS.get(wanted, set()):
        raise Invalid(f"A job that is {job['jobStatus']} cannot become {wanted}.")
    job["jobStatus"] = wanted
    return EmptyResult()


def list_classification_jobs(self: Any) -> ActionResult:
    """ListClassificationJobs."""
    short = ("jobId", "jobStatus", "jobType", "name", "createdAt")
    jobs = sorted(_backend(self).jobs.values(), key=lambda job: str(job["createdAt"]))
    return ActionResult({"items": [{name: job[name] for name in short} for job in jobs]})


def _tags(response: Any) -> dict[str, str]:
    identity = asked(response)["resourceArn"].rsplit("/", 1)[-1]
    job = _backend(response).jobs.get(identity)
    if job is None:
        raise Missing()
    found: dict[str, str] = job.setdefault("tags", {})
    return found


def _list_tags(self: Any) -> ActionResult:
    return ActionResult({"tags": _tags(self)})


def _change_tags(self: Any) -> EmptyResult:
    retag(_tags(self), asked(self))
    return EmptyResult()
