"""Fixtures of the suite that judges what people do: `procedure` and `scans`.

Against the twin there are no people: a procedure without records is not applicable there, with that reason.
Against a real account it is red.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from controls.model import Control
from controls.procedures import Standing, load_records, standing
from scans.record import Scanned, judge
from settings.calendar import today
from verify.plugin import STATE
from verify.subjects import Resource

TWIN = "not applicable: {what}, and this account is emulated on this machine"


def emulated() -> bool:
    """Does what AWS calls go to stay on this machine?"""
    hosts = [urlsplit(v).hostname for k, v in os.environ.items() if k.startswith("AWS_ENDPOINT_URL")]
    return bool(hosts) and all(host in ("127.0.0.1", "::1", "localhost") for host in hosts)


def _control(request: pytest.FixtureRequest) -> Control:
    resource: Resource = request.param
    return request.config.stash[STATE].catalogue[resource.facts["control"]]


@pytest.fixture
def procedure(request: pytest.FixtureRequest) -> Standing:
    """How one procedure stands today, by the records that the stack file names."""
    state, control = request.config.stash[STATE], _control(request)
    named = state.contract.get("procedures")
    if not named:
        if emulated():
            pytest.skip(TWIN.format(what="stockade:procedures names no records"))
        return Standing(None, "stockade:procedures names no folder of records, so nothing is proven")
    folder = Path(request.config.option.controls) / named
    found = standing(control, load_records(folder), folder, today())
    shown: Any = found.record.model_dump(mode="json") if found.record else None
    state.reach.recorder.note(f"{named}: newest record of {control.id}", json.dumps(shown))
    return found


@pytest.fixture
def scans(request: pytest.FixtureRequest) -> Scanned:
    """What the scans of this code said, and whether it is still this code."""
    state, control = request.config.stash[STATE], _control(request)
    root = Path(request.config.option.controls)
    found = judge(root, control.cadence_days or 0, today())
    if found.absent and emulated():
        pytest.skip(TWIN.format(what=found.absent))
    state.reach.recorder.note("build/scans/scans.json", found.shown)
    return found
