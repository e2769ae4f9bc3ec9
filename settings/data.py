"""What data there is, whose it is, and how long it is kept."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from settings.types import Account, Clock, Day, Days, Model, Name, Network, RoleName, Ticket, ZoneName


class DataClass(Model):
    """One class of data: who touches it, how long it is kept, when it moves to colder storage."""

    writers: tuple[RoleName, ...] = Field(min_length=1, description="server roles that may add objects")
    readers: tuple[RoleName, ...] = Field(description="server roles that may read objects")
    retention_days: Days = Field(description="for how many days an object is kept, at least")
    warm_after_days: Annotated[int, Field(ge=30, strict=True)] = Field(
        default=30, description="days until an object moves to infrequent access"
    )
    cold_after_days: Annotated[int, Field(ge=90, strict=True)] = Field(
        default=120, description="days until an object moves to the archive tier"
    )
    critical: Annotated[bool, Field(strict=True)] = Field(
        default=True, description="whether the trail records each access to its objects"
    )


class Source(Model):
    """An address range from which a customer's data is taken in, bound by a recorded change."""

    cidr: Network = Field(description="public address range")
    change: Ticket = Field(description="the change that bound it")
    until: Day = Field(description="last day on which it is accepted")


class DeepArchive(Model):
    """A customer's own archive in the customer's own account, in an allowed region."""

    account: Account = Field(description="the customer's account")
    bucket: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", description="the customer's bucket")
    key: str = Field(
        pattern=r"^arn:aws:kms:[a-z0-9-]+:\d{12}:key/[0-9a-f-]{36}$",
        description="the customer's KMS key, in the account and region of the bucket",
    )


class Customer(Model):
    """One customer's partition: always a key of its own, and a bucket or a prefix of its own."""

    site: Name | None = Field(default=None, description="its site, when it has a VPN")
    sources: dict[Name, Source] = Field(default_factory=dict, description="where its data may come from")
    classes: tuple[Name, ...] = Field(min_length=1, description="classes of data it has here")
    partition: Literal["bucket", "prefix"] = Field(
        description="buckets of its own, or a prefix in shared ones"
    )
    deep_archive: DeepArchive | None = Field(default=None, description="a copy in the customer's own account")


class Backup(Model):
    """Backups of volumes, into a locked vault."""

    at: Clock = Field(description='when they start every day, "02:00"')
    timezone: ZoneName = Field(description="IANA time zone of that time")
    keep_days: Days = Field(description="for how many days a recovery point is kept")
