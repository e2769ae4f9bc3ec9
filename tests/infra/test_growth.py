"""How the program grows: by the same number of resources for each customer, and no policy grows with them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

import pace
from benchmarks.growth import with_customers
from tests.infra.monitor import Run, run_program, stack_file


@pytest.fixture(scope="module")
def runs() -> dict[int, Run]:
    return {
        number: run_program("in-mumbai", with_customers(stack_file("in-mumbai"), number))
        for number in (1, 4, 8)
    }


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


def test_the_sdk_touches_each_output_about_once_while_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pace.quicken(), "the SDK waits in another way now: see pace.py"
    touched, wait = [0], asyncio.wait

    async def counting(tasks: list[asyncio.Task[object]], **how: Any) -> object:
        touched.append(len(tasks))
        return await wait(tasks, **how)

    monkeypatch.setattr(asyncio, "wait", counting)
    run_program("in-mumbai", with_customers(stack_file("in-mumbai"), 1))
    assert max(touched) > 500
    assert sum(touched) < 1.5 * max(touched), f"{sum(touched)} of {max(touched)} outputs"
