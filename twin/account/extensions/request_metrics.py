"""S3: request metrics of buckets.

S3 API reference: PutBucketMetricsConfiguration, GetBucketMetricsConfiguration,
ListBucketMetricsConfigurations, DeleteBucketMetricsConfiguration; NoSuchConfiguration when there is none.
"""

from __future__ import annotations

from typing import Any

from moto.s3.exceptions import S3ClientError
from moto.s3.responses import S3Response

from twin.account.extensions.placing import place

_SPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


def install() -> None:
    """Answer requests with `metrics` in their query; the rest is moto's."""
    for verb, ours in (("get", _get), ("put", _put), ("delete", _delete)):
        place(S3Response, **{f"_bucket_response_{verb}": _before(f"_bucket_response_{verb}", ours)})


def _before(name: str, ours: Any) -> Any:
    theirs = getattr(S3Response, name)

    def answer(self: Any, *args: Any, **kwargs: Any) -> Any:
        if "metrics" in (self.querystring or {}):
            bucket = self.backend.get_bucket(self.bucket_name)
            return ours(self, bucket.__dict__.setdefault("request_metrics", {}))
        return theirs(self, *args, **kwargs)

    return answer


def _absent() -> S3ClientError:
    return S3ClientError("NoSuchConfiguration", "The specified configuration does not exist.")


def _identity(response: Any) -> str:
    return str((response.querystring.get("id") or [""])[0])


def _put(self: Any, kept: dict[str, str]) -> Any:
    stated = self.body if isinstance(self.body, str) else self.body.decode()
    kept[_identity(self)] = stated[stated.index("<MetricsConfiguration") :]
    return 200, {}, ""


def _get(self: Any, kept: dict[str, str]) -> Any:
    identity = _identity(self)
    if identity:
        if identity not in kept:
            raise _absent()
        return 200, {}, kept[identity]
    listed = "".join(kept.values())
    name = "ListMetricsConfigurationsResult"
    return 200, {}, f'<{name} xmlns="{_SPACE}"><IsTruncated>false</IsTruncated>{listed}</{name}>'


def _delete(self: Any, kept: dict[str, str]) -> Any:
    if kept.pop(_identity(self), None) is None:
        raise _absent()
    return 204, {}, ""
