"""IAM Access Analyzer, which moto lacks: analyzers with their archive rules and tags.

Access Analyzer API reference: CreateAnalyzer, GetAnalyzer, ListAnalyzers, UpdateAnalyzer, DeleteAnalyzer and
the tag operations; one analyzer of a type and region in an account ("Quotas"). It analyses nothing here, so
it never has a finding.
"""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

from moto import backend_index as index
from moto import backends
from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse, EmptyResult
from moto.core.utils import utcnow

from twin.account.extensions.placing import place
from twin.account.extensions.rest import asked, retag

_SERVICE = "accessanalyzer"
_TYPES = ("ACCOUNT", "ACCOUNT_UNUSED_ACCESS", "ACCOUNT_INTERNAL_ACCESS")
_DEFAULT_AGE = 90  # days, UnusedAccessConfiguration


class Conflict(ServiceException):
    """One of this type or name is there already."""

    code = "ConflictException"
    resourceId = resourceType = "analyzer"


class Missing(ServiceException):
    """No such analyzer."""

    code = "ResourceNotFoundException"
    resourceId = resourceType = "analyzer"


class Invalid(ServiceException):
    """A parameter that AWS refuses."""

    code = "ValidationException"
    reason = "fieldValidationFailed"


class Backend(BaseBackend):
    """The analyzers of one account and region."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.analyzers: dict[str, dict[str, Any]] = {}

    @property
    def _url_module(self) -> Any:
        paths = ("/analyzer$", "/analyzer/(?P<name>[^/]+)$", "/tags/(?P<arn>.+)$")
        return SimpleNamespace(
            url_bases=[rf"https?://{_SERVICE}\.(.+)\.amazonaws\.com"],
            url_paths={"{0}" + path: Response.dispatch for path in paths},
        )


class Response(BaseResponse):
    """The operations."""

    def __init__(self) -> None:
        super().__init__(service_name=_SERVICE)

    @property
    def analyzers(self) -> dict[str, dict[str, Any]]:
        """By name."""
        found: dict[str, dict[str, Any]] = BACKENDS[self.current_account][self.region].analyzers
        return found

    def _one(self) -> dict[str, Any]:
        name = asked(self)["analyzerName"]
        if name not in self.analyzers:
            raise Missing(f"Analyzer {name} not found")
        return self.analyzers[name]

    def create_analyzer(self) -> ActionResult:
        """CreateAnalyzer."""
        given = asked(self)
        name, kind = given["analyzerName"], given["type"]
        if kind not in _TYPES:
            raise Invalid(f"type {kind} is not supported here")
        if name in self.analyzers or any(one["type"] == kind for one in self.analyzers.values()):
            raise Conflict(f"An analyzer with this name or of type {kind} already exists")
        arn = f"arn:aws:access-analyzer:{self.region}:{self.current_account}:analyzer/{name}"
        made = {"arn": arn, "name": name, "type": kind, "createdAt": utcnow(), "status": "ACTIVE"}
        configuration = given.get("configuration") or {}
        if kind == "ACCOUNT_UNUSED_ACCESS":
            configuration.setdefault("unusedAccess", {}).setdefault("unusedAccessAge", _DEFAULT_AGE)
        self.analyzers[name] = made | {"configuration": configuration, "tags": given.get("tags") or {}}
        return ActionResult({"arn": arn})

    def get_analyzer(self) -> ActionResult:
        """GetAnalyzer."""
        return ActionResult({"analyzer": _told(self._one())})

    def list_analyzers(self) -> ActionResult:
        """ListAnalyzers."""
        kind = asked(self).get("type")
        found = [one for _, one in sorted(self.analyzers.items()) if kind in (None, one["type"])]
        return ActionResult({"analyzers": [_told(one) for one in found]})

    def update_analyzer(self) -> ActionResult:
        """UpdateAnalyzer: the configuration of an unused or internal access analyzer."""
        one = self._one()
        one["configuration"] = asked(self).get("configuration") or one["configuration"]
        return ActionResult({"configuration": one["configuration"]})

    def delete_analyzer(self) -> EmptyResult:
        """DeleteAnalyzer."""
        del self.analyzers[self._one()["name"]]
        return EmptyResult()

    def _tags(self) -> dict[str, str]:
        arn = asked(self)["resourceArn"]
        found = [one for one in self.analyzers.values() if one["arn"] == arn]
        if not found:
            raise Missing(f"{arn} not found")
        tags: dict[str, str] = found[0]["tags"]
        return tags

    def list_tags_for_resource(self) -> ActionResult:
        """ListTagsForResource."""
        return ActionResult({"tags": self._tags()})

    def tag_resource(self) -> EmptyResult:
        """TagResource."""
        retag(self._tags(), asked(self))
        return EmptyResult()

    untag_resource = tag_resource


def _told(one: dict[str, Any]) -> dict[str, Any]:
    """An analyzer without what it has not: an analyzer of external access has no configuration."""
    return {name: value for name, value in one.items() if name != "configuration" or value}


BACKENDS = BackendDict(Backend, _SERVICE)


def install() -> None:
    """Make the service known to moto's server."""
    known = backends.get_backend

    def get_backend(name: Any) -> Any:
        return BACKENDS if name == _SERVICE else known(name)

    place(backends, get_backend=get_backend)
    pattern = re.compile(rf"https?://(access-analyzer|{_SERVICE})\.(.+)\.amazonaws\.com")
    index.backend_url_patterns.append((_SERVICE, pattern))
