"""S3: bucket policies are judged with their conditions and for the caller at hand.

moto takes every Deny whose action matches for one that applies, so that a bucket which refuses clear text
refuses everything. Policy evaluation logic: IAM User Guide; header keys: Service Authorization Reference,
Amazon S3.
"""

from __future__ import annotations

import re
from typing import Any

from flask import has_request_context
from flask import request as http
from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket
from moto.sts.models import sts_backends

from twin.account.extensions.judging import by_resource, request
from twin.account.extensions.placing import place

_ENCRYPTION = "x-amz-server-side-encryption"
# moto asks by the verb of HTTP.
_ACTIONS = {"s3:HeadObject": "s3:GetObject", "s3:PostObject": "s3:PutObject"}
_RESULTS = {"Deny": PermissionResult.DENIED, "Allow": PermissionResult.PERMITTED}


def install() -> None:
    """Replace the judgement."""
    place(FakeBucket, get_permission=get_permission)


def get_permission(bucket: Any, action: str, resource: str) -> PermissionResult:
    """What the bucket's policy says about an action on a resource by whoever sent the request."""
    asked = request(
        _caller(bucket.account_id), _ACTIONS.get(action, action), resource, bucket.region_name, _headers()
    )
    return _RESULTS.get(by_resource(bucket.policy, asked), PermissionResult.NEUTRAL)


def _headers() -> dict[str, str]:
    if not has_request_context():
        return {}
    wanted = (_ENCRYPTION, f"{_ENCRYPTION}-aws-kms-key-id", "x-amz-acl")
    return {f"s3:{name}": http.headers[name] for name in wanted if name in http.headers}


def _caller(account: str) -> str:
    """The role of a session, as AWS names it in aws:PrincipalArn; else the account itself."""
    header = http.headers.get("Authorization", "") if has_request_context() else ""
    key = re.search(r"Credential=([^/]+)/", header)
    for backends in list(sts_backends.values()) if key else []:
        for backend in list(backends.values()):
            for session in backend.assumed_roles:
                if key and session.access_key_id == key[1]:
                    return str(session.role_arn)
    return f"arn:aws:iam::{account}:root"
