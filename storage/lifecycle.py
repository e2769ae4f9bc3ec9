"""When objects get colder and when they go, as the rules S3 takes.

Amazon S3 User Guide, "Transitioning objects using Amazon S3 Lifecycle" and "Understanding and managing
storage classes" (read 2026-11): nothing moves before 30 days, a next class 30 days after the last; all
classes here keep data in three or more zones.
"""

from __future__ import annotations

from dataclasses import dataclass

from pulumi_aws import s3

ABORT_UPLOAD_DAYS = 7
EVERYTHING = ""  # an empty prefix: every object
STEP_DAYS = 30  # between two classes, and before the first move
WARM = "INTELLIGENT_TIERING"  # moves by itself between tiers as an object is used or not
WARM_LOGS = "STANDARD_IA"  # logs are read rarely and in bulk: no need to watch each object
COLD = "GLACIER_IR"  # archive, readable within milliseconds
COLDEST = "DEEP_ARCHIVE"  # archive, readable within hours
COLD_LEAST_DAYS = {COLD: 90, COLDEST: 180}  # charged at least so long

_Rule = s3.BucketLifecycleConfigurationRuleArgs
_Filter = s3.BucketLifecycleConfigurationRuleFilterArgs
_Move = s3.BucketLifecycleConfigurationRuleTransitionArgs
_OldMove = s3.BucketLifecycleConfigurationRuleNoncurrentVersionTransitionArgs


@dataclass(frozen=True)
class Lifecycle:
    """`moves`: (days, storage class) of current objects in order. `expire_days` None: nothing current goes.

    `noncurrent_days`: for how many days a replaced version is kept.
    """

    noncurrent_days: int
    moves: tuple[tuple[int, str], ...] = ()
    expire_days: int | None = None

    def rules(self) -> list[_Rule]:
        """The rules, each over every object."""
        found = [self._tidy()]
        if self.moves:
            found.append(
                _Rule(
                    id="tiering",
                    status="Enabled",
                    filter=_Filter(prefix=EVERYTHING),
                    transitions=[_Move(days=days, storage_class=kind) for days, kind in self.moves],
                )
            )
        if self.expire_days is not None:
            expiration = s3.BucketLifecycleConfigurationRuleExpirationArgs(days=self.expire_days)
            found.append(
                _Rule(
                    id="retention",
                    status="Enabled",
                    filter=_Filter(prefix=EVERYTHING),
                    expiration=expiration,
                )
            )
        return found

    def _tidy(self) -> _Rule:
        """Replaced versions get colder and then go; uploads that were never finished go early."""
        abort = s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
            days_after_initiation=ABORT_UPLOAD_DAYS
        )
        expiration = s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
            noncurrent_days=self.noncurrent_days
        )
        cold = self.noncurrent_days >= 2 * STEP_DAYS
        return _Rule(
            id="tidy",
            status="Enabled",
            filter=_Filter(prefix=EVERYTHING),
            abort_incomplete_multipart_upload=abort,
            noncurrent_version_transitions=[_OldMove(noncurrent_days=STEP_DAYS, storage_class=WARM_LOGS)]
            if cold
            else None,
            noncurrent_version_expiration=expiration,
        )


def kept_for(noncurrent_days: int, expire_days: int) -> Lifecycle:
    """Logs: rarely read after a month, hardly ever after four; gone when their retention is over."""
    moves = []
    if expire_days >= 2 * STEP_DAYS:
        moves.append((STEP_DAYS, WARM_LOGS))
    if expire_days >= 4 * STEP_DAYS + COLD_LEAST_DAYS[COLD]:
        moves.append((4 * STEP_DAYS, COLD))
    return Lifecycle(noncurrent_days, tuple(moves), expire_days)
