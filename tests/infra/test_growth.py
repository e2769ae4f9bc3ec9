"""How the program grows: by the same number of resources for each customer, and no policy grows with them."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tests.infra.monitor import Run, run_program, stack_file


def _with_customers(number: int) -> dict[str, Any]:
    config = copy.deepcopy(stack_file("in-mumbai"))
    sites, customers = config["stockade:sites"], config["stockade:customers"]
    like_site, like = (
        sites["acme-bank"],
        {k: v for k, v in customers["acme-bank"].items() if k != "deep_archive"},
    )
    for name in [name for name, site in sites.items() if site["kind"] == "customer"]:
        del sites[name]
    customers.clear()
    for index in range(number):
        name = f"customer-{chr(ord('a') + index)}"
        address = f"198.51.100.{index + 10}"
        sites[name] = {
            **like_site,
            "gateway": address,
            "ranges": [f"192.168.{64 + index}.0/24"],
            "asn": 65100 + index,
        }
        source = {"head-office": {"cidr": f"{address}/32", "change": "CHG-1", "until": "2027-06-30"}}
        customers[name] = {**like, "site": name, "sources": source}
    return config


@pytest.fixture(scope="module")
def runs() -> dict[int, Run]:
    return {number: run_program("in-mumbai", _with_customers(number)) for number in (1, 4, 8)}


def test_each_customer_adds_the_same_number_of_resources(runs: dict[int, Run]) -> None:
    counts = {number: len(run.planned) for number, run in runs.items()}
    each = (counts[8] - counts[4]) / 4
    assert (counts[4] - counts[1]) / 3 == each, counts
    assert 5 < each < 60


def test_no_identity_policy_grows_with_the_customers(runs: dict[int, Run]) -> None:
    def sizes(run: Run) -> dict[str, int]:
        kinds = ("aws:iam/rolePolicy:RolePolicy", "aws:iam/policy:Policy")
        found = [p for kind in kinds for p in run.of(kind).values()]
        return {p["urn"]: len(json.dumps(p["inputs"].get("policy"))) for p in found}

    small, large = sizes(runs[1]), sizes(runs[8])
    grown = {urn: (size, large[urn]) for urn, size in small.items() if large[urn] > size}
    assert grown == {}
