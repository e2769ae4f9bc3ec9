"""Rules across fields about data: classes, customers, archives, backups, and the names of their buckets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from settings.data import DeepArchive
from settings.draft import Draft
from settings.problems import Problem

Rule = Callable[[Draft], Iterator[Problem]]

# Amazon S3 User Guide, "Transitioning objects using Amazon S3 Lifecycle" and "Amazon S3 storage classes"
# (read 2026-11): 30 days before the first move and between two, 90 days charged at least in GLACIER_IR.
STEP_DAYS, COLD_DAYS = 30, 90
# AWS Backup API reference, PutBackupVaultLockConfiguration: no lock demands less than a day; ours less than a
# week would not outlast a weekend's absence.
BACKUP_DAYS = 7
# Logs in the locked archive: CERT-In Directions of 28 April 2022 ask for 180 days; nowhere less.
ARCHIVE_DAYS = 180
# Amazon S3 User Guide, "Bucket policies": 20 KB. Each customer with a prefix takes about 650 bytes of it.
TENANTS = 20
BUCKET_NAME = 63
# What stands around stack, class and customer: storage/names.py.
_NAME_AROUND = len("stockade-" + "--" + "--" + "-") + 12


def roles_of_classes_exist_and_reach_aws(draft: Draft) -> Iterator[Problem]:
    """Writers and readers are server roles, and ones that the firewall lets call AWS: others never could."""
    known = draft.names.get("server_roles", frozenset())
    reaching = {name for rule in draft.firewall.values() if "aws_endpoints" in rule.to for name in rule.from_}
    for name, stated in draft.data_classes.items():
        for field in ("writers", "readers"):
            for index, role in enumerate(getattr(stated, field)):
                key = f"data_classes.{name}.{field}.{index}"
                if role not in known:
                    yield Problem(
                        key,
                        role,
                        "a server role is named that exists",
                        f"choose from {', '.join(sorted(known))}",
                    )
                elif "firewall" not in draft.broken and role not in reaching:
                    yield Problem(
                        key,
                        role,
                        "a role that touches data reaches S3, so the firewall lets it reach aws_endpoints",
                        "add it to such a rule's `from`, or take it out of the class",
                    )


def classes_and_sites_of_customers_exist(draft: Draft) -> Iterator[Problem]:
    """A customer's classes are stated ones, each once; its site is one of kind customer."""
    classes = draft.names.get("data_classes", frozenset())
    for name, customer in draft.customers.items():
        for index, found in enumerate(customer.classes):
            key = f"customers.{name}.classes.{index}"
            if found not in classes:
                yield Problem(
                    key,
                    found,
                    "a class of data is named that exists",
                    f"choose from {', '.join(sorted(classes))}",
                )
            if found in customer.classes[:index]:
                yield Problem(key, found, "a class is named once", "remove the repetition")
        site = customer.site
        if site is None or "sites" in draft.broken:
            continue
        if site not in draft.sites or draft.sites[site].kind != "customer":
            yield Problem(
                f"customers.{name}.site",
                site,
                "a customer's site is a site of kind customer",
                "name that site, or leave the key out when there is no VPN",
            )


def names_can_be_told_apart(draft: Draft) -> Iterator[Problem]:
    """Single hyphens, none at the end: two of them divide the parts of a bucket's name."""
    for section in ("data_classes", "customers"):
        for name in sorted(draft.names.get(section, ())):
            if "--" in name or name.endswith("-"):
                yield Problem(
                    f"{section}.{name}",
                    name,
                    "a class and a customer have single hyphens inside their names only",
                    f"write {re.sub('-+', '-', name).rstrip('-')}",
                )


def objects_get_colder_in_order(draft: Draft) -> Iterator[Problem]:
    """Warm, then cold a month later at least, and cold long enough before the class's retention ends."""
    for name, stated in draft.data_classes.items():
        if stated.cold_after_days < stated.warm_after_days + STEP_DAYS:
            yield Problem(
                f"data_classes.{name}.cold_after_days",
                str(stated.cold_after_days),
                f"an object stays warm for {STEP_DAYS} days at least before it gets cold",
                f"set {stated.warm_after_days + STEP_DAYS} or more",
            )
        elif stated.retention_days < stated.cold_after_days + COLD_DAYS:
            yield Problem(
                f"data_classes.{name}.cold_after_days",
                str(stated.cold_after_days),
                f"cold storage is charged for {COLD_DAYS} days, more than retention_days leaves",
                f"set {max(stated.retention_days - COLD_DAYS, 0)} or less, or keep objects longer",
            )


def shared_buckets_hold_their_policies(draft: Draft) -> Iterator[Problem]:
    """A bucket's policy has a limit, and each customer with a prefix takes a part of it."""
    for name in draft.data_classes:
        sharing = [c for c in draft.customers.values() if c.partition == "prefix" and name in c.classes]
        if len(sharing) > TENANTS:
            yield Problem(
                f"data_classes.{name}",
                f"{len(sharing)} customers by prefix",
                f"the policy of a shared bucket has room for {TENANTS} customers",
                "give some of them partition: bucket, or divide the class",
            )


def deep_archives_lie_elsewhere_but_not_abroad(draft: Draft) -> Iterator[Problem]:
    """In the customer's account, never in ours; in an allowed region; one bucket for one customer."""
    seen: dict[str, str] = {}
    for name, customer in draft.customers.items():
        deep = customer.deep_archive
        if deep is None:
            continue
        key = f"customers.{name}.deep_archive"
        if customer.partition != "bucket":
            yield Problem(
                f"customers.{name}.partition",
                customer.partition,
                "a bucket is copied by one role; a shared one's would reach every customer's archive",
                "give a customer with a deep archive partition: bucket",
            )
        if deep.account == draft.account:
            yield Problem(
                f"{key}.account", deep.account, "the customer's archive is not in our account", "give its"
            )
        if deep.bucket in seen:
            yield Problem(
                f"{key}.bucket", deep.bucket, f"{seen[deep.bucket]} has the same", "one bucket each"
            )
        seen.setdefault(deep.bucket, name)
        yield from _key_of(deep, f"{key}.key", draft)


def _key_of(deep: DeepArchive, key: str, draft: Draft) -> Iterator[Problem]:
    _, _, _, region, account, _ = deep.key.split(":", 5)
    if account != deep.account:
        yield Problem(
            key, deep.key, f"the key lies in the customer's account {deep.account}", "give its own key"
        )
    if draft.residency and region not in draft.residency.allowed_regions:
        yield Problem(
            key,
            deep.key,
            "data stays in the allowed regions, in the customer's account too",
            f"a key and bucket in {', '.join(draft.residency.allowed_regions)}",
        )


def archives_and_backups_outlast_their_locks(draft: Draft) -> Iterator[Problem]:
    """The archive's retention and the recovery points' life meet the least that the locks enforce."""
    kept, backup = draft.retention, draft.backup
    if kept is not None and kept.archive_days < ARCHIVE_DAYS:
        yield Problem(
            "retention.archive_days",
            str(kept.archive_days),
            f"the locked archive keeps logs {ARCHIVE_DAYS} days or longer (CERT-In, 28 April 2022)",
            f"set {ARCHIVE_DAYS} or more",
        )
    if kept is not None:
        for name in ("flow_logs_days", "access_logs_days", "node_logs_days"):
            if getattr(kept, name) > kept.archive_days:
                yield Problem(
                    "retention.archive_days",
                    str(kept.archive_days),
                    f"the archive keeps logs at least as long as {name}",
                    f"set {getattr(kept, name)} or more",
                )
    if backup is not None and backup.keep_days < BACKUP_DAYS:
        yield Problem(
            "backup.keep_days",
            str(backup.keep_days),
            f"the vault's lock keeps recovery points {BACKUP_DAYS} days or longer",
            f"set {BACKUP_DAYS} or more",
        )
    if backup is not None and backup.at == "24:00":
        yield Problem("backup.at", backup.at, "a backup starts at 00:00 to 23:59", 'write "00:00"')


def bucket_names_fit(stack: str, names: list[tuple[str, str | None]]) -> Iterator[Problem]:
    """`names`: (class, customer with a bucket or None). Called with the stack's name, which is a file's."""
    for data_class, customer in names:
        size = _NAME_AROUND + len(stack) + len(data_class) + (len(customer) if customer else -2)
        if size > BUCKET_NAME:
            key = f"customers.{customer}" if customer else f"data_classes.{data_class}"
            yield Problem(
                key,
                customer or data_class,
                f"a bucket's name has {BUCKET_NAME} characters at most, and this one's would have {size}",
                "shorten the name of the stack, the class or the customer",
            )


def buckets_of(draft: Draft) -> list[tuple[str, str | None]]:
    """Class and customer of every bucket that holds data."""
    own = [
        (c, name)
        for name, found in draft.customers.items()
        if found.partition == "bucket"
        for c in found.classes
    ]
    return [*((name, None) for name in draft.data_classes), *own]


RULES: tuple[Rule, ...] = (
    roles_of_classes_exist_and_reach_aws,
    classes_and_sites_of_customers_exist,
    names_can_be_told_apart,
    objects_get_colder_in_order,
    shared_buckets_hold_their_policies,
    deep_archives_lie_elsewhere_but_not_abroad,
    archives_and_backups_outlast_their_locks,
)
