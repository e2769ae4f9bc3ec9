"""What bad input about data, customers, archives and backups gets."""

from __future__ import annotations

from typing import Any

import pytest

import settings
from settings.draft import Draft
from settings.rules_data import bucket_names_fit, buckets_of
from storage.names import class_bucket
from tests.unit.settings_sample import put, raw

ELSEWHERE = "arn:aws:kms:us-east-1:333344445555:key/6f1c2d3e-4b5a-4978-8695-a4b3c2d1e0f9"
OF_ANOTHER = "arn:aws:kms:ap-south-2:999999999999:key/6f1c2d3e-4b5a-4978-8695-a4b3c2d1e0f9"
ACME = "customers.acme-bank"
DEEP = f"{ACME}.deep_archive"

CASES = [
    # place, value, key of the problem, part of the rule
    ("data_classes.records.writers", ["nobody"], "data_classes.records.writers.0", "server role"),
    ("data_classes.records.readers", ["edge"], "data_classes.records.readers.0", "aws_endpoints"),
    (f"{ACME}.classes", ["letters"], f"{ACME}.classes.0", "class of data"),
    (f"{ACME}.classes", ["records", "records"], f"{ACME}.classes.1", "once"),
    (f"{ACME}.site", "noc-mumbai", f"{ACME}.site", "kind customer"),
    (f"{ACME}.site", "nowhere", f"{ACME}.site", "kind customer"),
    ("data_classes.records.cold_after_days", 59 + 31, "data_classes.records.cold_after_days", "30 days"),
    ("data_classes.records.retention_days", 200, "data_classes.records.cold_after_days", "90 days"),
    (f"{ACME}.partition", "prefix", f"{ACME}.partition", "one role"),
    (f"{DEEP}.account", "111122223333", f"{DEEP}.account", "not in our account"),
    (f"{DEEP}.key", ELSEWHERE, f"{DEEP}.key", "allowed regions"),
    (f"{DEEP}.key", OF_ANOTHER, f"{DEEP}.key", "customer's account"),
    ("retention.archive_days", 179, "retention.archive_days", "180 days"),
    ("retention.archive_days", 365, "retention.archive_days", "at least as long"),
    ("backup.keep_days", 6, "backup.keep_days", "7 days"),
    ("backup.at", "24:00", "backup.at", "23:59"),
]


def problems(data: dict[str, Any]) -> list[settings.Problem]:
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse(data)
    assert caught.value.code == 2
    return caught.value.problems


@pytest.mark.parametrize(("place", "value", "key", "rule"), CASES, ids=[f"{c[0]}={c[1]}"[:60] for c in CASES])
def test_each_bad_word_gets_one_clear_line(place: str, value: Any, key: str, rule: str) -> None:
    data = raw()
    if place.endswith("cold_after_days"):
        put(data, "data_classes.records.warm_after_days", 61)
    put(data, place, value)
    found = [problem for problem in problems(data) if problem.key == key]
    assert any(rule in problem.rule for problem in found), problems(data)
    assert all(problem.fix for problem in found)


@pytest.mark.parametrize("name", ["old--bank", "bank-"])
def test_names_leave_the_double_hyphen_to_bucket_names(name: str) -> None:
    data = raw()
    data["customers"][name] = {"classes": ["records"], "partition": "prefix"}
    assert [p.key for p in problems(data)] == [f"customers.{name}"]


def test_a_shared_bucket_has_room_for_so_many_customers_only() -> None:
    data = raw()
    for number in range(20):
        data["customers"][f"tenant-{number}"] = {"classes": ["records"], "partition": "prefix"}
    found = problems(data)
    assert [p.key for p in found] == ["data_classes.records"]
    assert "20 customers" in found[0].rule


def test_two_customers_never_share_an_archive() -> None:
    data = raw()
    data["customers"]["surya-insurance"] |= {
        "partition": "bucket",
        "deep_archive": dict(data["customers"]["acme-bank"]["deep_archive"]),
    }
    assert [p.key for p in problems(data)] == ["customers.surya-insurance.deep_archive.bucket"]


def test_the_length_of_a_bucket_s_name_is_the_one_it_gets() -> None:
    draft = Draft.of(settings.parse(raw()))
    names = buckets_of(draft)
    assert ("records", "acme-bank") in names
    room = 63 - len(class_bucket("s", "111122223333", "records", "acme-bank"))
    assert not list(bucket_names_fit("s" * (room + 1), names))
    (found,) = bucket_names_fit("s" * (room + 2), names)
    assert found.key == "customers.acme-bank" and "64" in found.rule
