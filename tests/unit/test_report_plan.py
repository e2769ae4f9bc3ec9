"""The page and the JSON of a preview: what changes, what the gates say, safe against what a name may hold."""

from __future__ import annotations

import html
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pydantic
import pytest

from report import plan_page
from report.plan import Change, Found, GateResult, Preview, Provision

OPEN = GateResult(area="residency", name="in_region", sentence="All is here.", findings=())
CLOSED = GateResult(
    area="exposure",
    name="ports",
    sentence="Few ports.",
    findings=(Found(rule="ingress-intended", urn="urn:x", problem="open to <everybody>", fix="close it"),),
)


def change(step: Any, name: str = "data", **more: Any) -> Change:
    return Change(
        step=step,
        urn=f"urn::{name}",
        type="aws:s3/bucket:Bucket",
        name=name,
        component="storage:Bucket",
        **more,
    )


def control(number: int, planned: int | None) -> Provision:
    return Provision(
        control=f"STK-BKT-{number:03d}",
        title="It holds",
        layer="data",
        severity="high",
        rows=("M10",),
        provided_by="storage:Bucket",
        planned=planned,
    )


def preview(**more: Any) -> Preview:
    given: dict[str, Any] = {
        "stack": "in-mumbai",
        "region": "ap-south-1",
        "account": "111122223333",
        "jurisdiction": "IN",
        "allowed_regions": ("ap-south-1",),
        "made": datetime(2026, 11, 22, 1, 2, tzinfo=UTC),
        "seconds": 5.0,
        "against": "the region that is up",
        "changes": (change("create"),),
        "gates": (OPEN,),
        "controls": (control(1, 3),),
        "contract": {},
    }
    return Preview(**{**given, **more})


@pytest.mark.parametrize(("gates", "code"), [((OPEN,), 0), ((OPEN, CLOSED), 1), ((), 1)])
def test_one_closed_gate_or_none_at_all_stops_the_plan(gates: tuple[GateResult, ...], code: int) -> None:
    found = preview(gates=gates)
    assert found.exit_code() == code
    page = plan_page.render(found)
    assert ("All 1 gates are open" in page) == (code == 0)
    assert ("must not go up" in page) == (code == 1)


def test_what_is_closed_is_named_with_its_fix_and_escaped() -> None:
    page = plan_page.render(preview(gates=(CLOSED,)))
    assert "ingress-intended" in page and "close it" in page
    assert "open to &lt;everybody&gt;" in page and "<everybody>" not in page


def test_changes_stand_by_component_with_the_serious_ones_first() -> None:
    changes = (
        change("same"),
        change("create", "new"),
        change("replace", "gone", inputs=("bucket",)),
        change("update", "kept", inputs=("tags", "policy")),
    )
    found = preview(changes=changes)
    (group,) = plan_page.groups(found)
    assert [one.step for one in group.changes] == ["replace", "update", "create"]
    assert dict(group.counts) == {"replace": 1, "update": 1, "create": 1}
    assert found.counts == {"create": 1, "replace": 1, "same": 1, "update": 1}
    assert "tags, policy" in plan_page.render(found)


def test_an_unchanged_region_says_so() -> None:
    assert "Nothing: the region is as the program wants it." in plan_page.render(
        preview(changes=(change("same"),))
    )


def test_a_control_whose_component_is_not_planned_is_marked() -> None:
    page = plan_page.render(preview(controls=(control(1, 3), control(2, 0), control(3, None))))
    assert "1 not provided in this stack" in page


def test_a_thousand_changes_are_counted_and_the_page_stays_readable() -> None:
    page = plan_page.render(preview(changes=tuple(change("create", f"n{i}") for i in range(1000))))
    assert "1000 create" in page and "and 600 more" in page
    assert len(page) < 400_000


def test_the_json_holds_the_verdict_and_reads_back(tmp_path: Path) -> None:
    found = preview(gates=(CLOSED, OPEN))
    found.save(tmp_path / "a" / "preview.json")
    data = json.loads((tmp_path / "a" / "preview.json").read_text())
    assert (data["schema"], data["exit_code"], data["closed"]) == ("stockade/preview/1", 1, 1)
    assert data["counts"] == {"create": 1}
    assert Preview.load(tmp_path / "a" / "preview.json") == found


def test_an_unknown_key_in_the_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "preview.json"
    preview().save(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "verdict": "fine"}))
    with pytest.raises(pydantic.ValidationError, match="verdict"):
        Preview.load(path)


def test_the_page_loads_nothing() -> None:
    page = plan_page.render(preview())
    assert "default-src 'none'" in html.unescape(page)
    assert "<script" not in page and "http://" not in page.replace("http://www.w3.org", "")
