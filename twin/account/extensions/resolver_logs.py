"""Route 53 Resolver query logging: whether logs really arrive, and the end of it.

Route 53 Resolver API reference: ResolverQueryLogConfigAssociation (Status, Error), Disassociate- and
DeleteResolverQueryLogConfig. CloudWatch Logs User Guide, "Enable logging from AWS services": the log group
has to exist, and a resource policy has to let delivery.logs.amazonaws.com write into it.
"""

from __future__ import annotations

import fnmatch
import json
from typing import Any

from moto.logs.models import logs_backends
from moto.route53resolver.exceptions import InvalidRequestException, ResourceNotFoundException
from moto.route53resolver.models import ResolverQueryLogConfigAssociation, Route53ResolverBackend
from moto.route53resolver.responses import Route53ResolverResponse

from twin.account.extensions.placing import place

_DELIVERY = "delivery.logs.amazonaws.com"
_NEEDED = ("logs:CreateLogStream", "logs:PutLogEvents")


def install() -> None:
    """Add the two operations; let an association tell whether its destination takes what is sent."""
    place(
        Route53ResolverResponse,
        disassociate_resolver_query_log_config=_disassociate,
        delete_resolver_query_log_config=_delete,
    )
    associate, describe = (
        Route53ResolverBackend.associate_resolver_query_log_config,
        ResolverQueryLogConfigAssociation.description,
    )

    def associate_resolver_query_log_config(self: Any, **given: Any) -> Any:
        association: Any = associate(self, **given)
        association.resolver = self
        return association

    def description(self: Any) -> dict[str, Any]:
        config = self.resolver.resolver_query_log_configs.get(self.resolver_query_log_config_id)
        error = _error(self.resolver, config.destination_arn) if config else "NONE"
        state = {} if error == "NONE" else {"Status": "FAILED", "Error": error}
        return {**describe(self), **state}

    place(
        Route53ResolverBackend,
        associate_resolver_query_log_config=associate_resolver_query_log_config,
    )
    place(ResolverQueryLogConfigAssociation, description=description)


def _error(resolver: Any, destination: str) -> str:
    """What AWS says of a log group that is not there, or that nobody lets the delivery write to."""
    if ":log-group:" not in destination:
        return "NONE"
    logs = logs_backends[resolver.account_id][resolver.region_name]
    name = destination.split(":log-group:")[1].removesuffix(":*")
    if name not in logs.groups:
        return "DESTINATION_NOT_FOUND"
    stream = f"{destination.removesuffix(':*')}:log-stream:any"
    statements = [
        statement
        for policy in logs.resource_policies.values()
        for statement in _listed(json.loads(policy.policy_document)["Statement"])
    ]
    allowed = all(any(_allows(s, action, stream) for s in statements) for action in _NEEDED)
    return "NONE" if allowed else "ACCESS_DENIED"


def _allows(statement: dict[str, Any], action: str, resource: str) -> bool:
    principal = statement.get("Principal", {})
    services = _listed(principal.get("Service", [])) if isinstance(principal, dict) else []
    return (
        statement.get("Effect") == "Allow"
        and _DELIVERY in services
        and any(fnmatch.fnmatchcase(action, pattern) for pattern in _listed(statement.get("Action", [])))
        and any(fnmatch.fnmatchcase(resource, pattern) for pattern in _listed(statement.get("Resource", [])))
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _disassociate(self: Any) -> str:
    backend, given = self.route53resolver_backend, json.loads(self.body)
    wanted = (given["ResolverQueryLogConfigId"], given["ResourceId"])
    for identity, found in list(backend.resolver_query_log_config_associations.items()):
        if (found.resolver_query_log_config_id, found.resource_id) == wanted:
            del backend.resolver_query_log_config_associations[identity]
            backend.resolver_query_log_configs[wanted[0]].association_count -= 1
            answer = {**found.description(), "Status": "DELETING"}
            return json.dumps({"ResolverQueryLogConfigAssociation": answer})
    raise ResourceNotFoundException("The query log configuration is not associated with this VPC")


def _delete(self: Any) -> str:
    backend = self.route53resolver_backend
    identity = json.loads(self.body)["ResolverQueryLogConfigId"]
    config = backend.get_resolver_query_log_config(resolver_query_log_config_id=identity)
    if config.association_count:
        raise InvalidRequestException(f"'{identity}' is associated with {config.association_count} VPC(s)")
    del backend.resolver_query_log_configs[identity]
    return json.dumps({"ResolverQueryLogConfig": {**config.description(), "Status": "DELETING"}})
