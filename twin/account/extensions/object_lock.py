"""S3 Object Lock on a bucket that has objects already, and its default given back as it was set.

Amazon S3 User Guide, "Configuring S3 Object Lock": since November 2023 a lock can be switched on and its
default changed on any versioned bucket; moto still wants a new one.
"""

from __future__ import annotations

from typing import Any

from moto.s3.exceptions import InvalidBucketState
from moto.s3.models import S3Backend

from twin.account.extensions.placing import place


def install() -> None:
    """Replace the writing, and give back only the unit of time that was set."""
    read = S3Backend.get_object_lock_configuration

    def get_object_lock_configuration(self: Any, bucket_name: str) -> Any:
        enabled, mode, days, years = read(self, bucket_name)
        return enabled, mode, days or None, years or None

    place(
        S3Backend,
        put_object_lock_configuration=put_object_lock_configuration,
        get_object_lock_configuration=get_object_lock_configuration,
    )


def put_object_lock_configuration(  # noqa: PLR0913, PLR0917 - moto's own signature
    backend: Any,
    bucket_name: str,
    lock_enabled: bool,
    mode: str | None = None,
    days: int | None = None,
    years: int | None = None,
) -> None:
    """PutObjectLockConfiguration: the default of new objects; what is locked stays so."""
    bucket = backend.get_bucket(bucket_name)
    if not bucket.is_versioned:
        raise InvalidBucketState(
            "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration"
        )
    bucket.object_lock_enabled = bucket.object_lock_enabled or lock_enabled
    bucket.default_lock_mode, bucket.default_lock_days, bucket.default_lock_years = mode, days, years
