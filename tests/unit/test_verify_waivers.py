"""Waivers: complete, dated to the minute in a zone, as narrow as the failure, and red when they are over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from controls import Control
from controls.waivers import WaiverFile, load_waivers
from fault import Fault
from report.__main__ import write_all
from report.files import FILES
from tests.unit import report_sample, verify_bench
from tests.unit.verify_bench import Bench
from verify.__main__ import waivers as command_waivers

pytest_plugins = ["pytester"]
bench = verify_bench.bench  # the fixture

WAIVER = {
    "id": "WVR-0001",
    "control": "STK-SSH-001",
    "subject": "edge-*",
    "owner": "platform lead",
    "approver": "security lead",
    "reason": "the vendor's appliance needs it until its next release",
    "ticket": "OPS-17",
    "risk": "whoever reaches the appliance may read its settings",
    "expires": "2999-01-01T00:00:00+05:30",
}
BAD = """
    @pytest.mark.control("STK-SSH-001")
    def test_bad(host, node):
        assert node["role"] != "edge", "open"
"""


def test_a_waived_failure_is_shown_as_waived(bench: Bench) -> None:
    bench.waivers = [WAIVER]
    assert bench.run(BAD).ret == 0
    waived = next(r for r in bench.results["results"] if r["subject"] == "edge-a-1")
    assert waived["status"] == "waived" and waived["waiver"]["approver"] == "security lead"
    assert waived["message"] == "open"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"expires": "2020-01-01T00:00:00+00:00"}, "expired 2020-01-01"),
        ({"subject": "app-*"}, "waives nothing"),
    ],
)
def test_a_waiver_that_is_over_or_idle_turns_the_run_red(
    bench: Bench, change: dict[str, str], said: str
) -> None:
    bench.waivers = [{**WAIVER, **change}]
    assert bench.run(BAD).ret == 1
    assert said in bench.faults()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"expires": "2999-01-01"}, "time and zone"),
        ({"expires": "2999-01-01T00:00:00"}, "timezone"),
        ({"control": "STK-SSH-*"}, "control"),
        ({"control": "STK-SSH-777"}, "not in the catalogue"),
        ({"subject": "*"}, "every subject"),
        ({"approver": "Platform Lead"}, "is the owner as well"),
        ({"reason": ""}, "reason"),
        ({"risk": "low"}, "risk"),
    ],
)
def test_an_incomplete_or_too_broad_waiver_is_refused(
    tmp_path: Path, change: dict[str, str], said: str
) -> None:
    (tmp_path / "controls" / "waivers").mkdir(parents=True)
    (tmp_path / "controls" / "waivers" / "0.yaml").write_text(yaml.safe_dump({**WAIVER, **change}))
    known: dict[str, Control] = {"STK-SSH-001": Control.model_construct(id="STK-SSH-001")}
    with pytest.raises(Fault, match=said):
        load_waivers(tmp_path, known)


@pytest.mark.parametrize("part", [part for part in WAIVER if part != "id"])
def test_every_part_of_a_waiver_is_asked_for(part: str) -> None:
    """Left out, empty, or beside a word that nobody knows: an acceptance with a hole is none."""
    rest = {key: value for key, value in WAIVER.items() if key != part}
    assert WaiverFile.model_validate({**rest, part: WAIVER[part]}).model_dump()[part]
    for wrong in (rest, {**rest, part: ""}, {**WAIVER, f"{part}s": "x"}):
        with pytest.raises(ValueError, match=part):
            WaiverFile.model_validate(wrong)


def test_a_waiver_speaks_of_one_control_only(bench: Bench) -> None:
    bench.controls["STK-SSH-002"] = ["nodes"]
    bench.waivers = [WAIVER]
    bench.run(BAD + BAD.replace("STK-SSH-001", "STK-SSH-002").replace("test_bad", "test_other"))
    found = {r["control"]: r["status"] for r in bench.results["results"] if r["subject"] == "edge-a-1"}
    assert found == {"STK-SSH-001": "waived", "STK-SSH-002": "fail"}


def test_what_could_not_be_judged_is_never_waived(bench: Bench) -> None:
    """A waiver accepts a failure that somebody looked at, never that nobody could look."""
    bench.hosts["edge-a-1"] = {"left_out": True}
    bench.waivers = [WAIVER]
    assert bench.run(BAD).ret == 3
    assert bench.statuses("edge-a-1") == ["error"]


def test_every_report_shows_a_waiver_with_who_accepted_it_until_when(tmp_path: Path) -> None:
    report = report_sample.report(node_controls=3, region_controls=2)
    waiver = report_sample.waiver()
    write_all(report, tmp_path)
    for name in FILES:
        if name != "region.svg":  # a picture of the region
            text = (tmp_path / name).read_text(encoding="utf-8")
            until = "40 days" if name == "summary.html" else f"{waiver.expires:%Y-%m-%d}"
            missing = [word for word in (waiver.id, waiver.owner, until) if word not in text]
            assert not missing, f"{name}: {missing}"


def test_a_waiver_that_ends_soon_is_remarked(bench: Bench) -> None:
    bench.waivers = [
        {**WAIVER, "expires": (datetime.now(UTC) + timedelta(days=5)).isoformat(timespec="seconds")}
    ]
    assert bench.run(BAD).ret == 0
    assert any("ends within 7 days" in remark for remark in bench.results["run"]["remarks"])


# --- how narrow ---

FAILS_ON = """
    @pytest.mark.control("STK-SSH-001")
    def test_bad(host, node):
        assert node["name"] not in {names!r}, "open"
"""


@pytest.mark.parametrize(
    ("subject", "failing", "said"),
    [
        ("edge-*", ["edge-a-1"], "too broad: of 2 subjects that it covers 1 did not fail (edge-b-1)"),
        ("*-1", ["edge-a-1", "edge-b-1", "app-a-1"], "too broad: it covers every node"),
        ("edge-[ab]-1", ["edge-b-1"], "did not fail (edge-a-1)"),
        ("edge-a-1", ["edge-b-1"], "waives nothing: it did not fail there"),
        ("egde-*", ["edge-a-1"], "waives nothing: no such subject was judged"),
        ("edge-*", ["edge-a-1", "edge-b-1"], ""),
        ("edge-a-1", ["edge-a-1"], ""),
    ],
)
def test_a_waiver_covers_what_fails_and_nothing_else(
    bench: Bench, subject: str, failing: list[str], said: str
) -> None:
    bench.nodes.append(("edge-b-1", "edge"))
    bench.waivers = [{**WAIVER, "subject": subject}]
    bench.run(FAILS_ON.format(names=failing))
    assert said in bench.faults() if said else bench.faults() == ""


def test_a_part_of_the_suite_judges_only_the_waivers_it_met(bench: Bench) -> None:
    bench.controls["STK-SSH-002"] = ["nodes"]
    bench.waivers = [{**WAIVER, "control": "STK-SSH-002"}]
    both = BAD + BAD.replace("STK-SSH-001", "STK-SSH-002").replace("test_bad", "test_other")
    bench.run(both, "-k", "test_bad")
    assert "waives nothing" not in bench.faults()
    assert bench.run(both.replace('!= "edge"', '!= "x"'), "-k", "test_other") is not None
    assert "waives nothing: it did not fail there" in bench.faults()


def test_a_renewed_waiver_counts_and_the_old_one_has_to_go(bench: Bench) -> None:
    old = {**WAIVER, "expires": "2020-01-01T00:00:00+00:00"}
    bench.waivers = [old, {**WAIVER, "id": "WVR-0002"}]
    bench.run(BAD)
    waived = next(r for r in bench.results["results"] if r["subject"] == "edge-a-1")
    assert waived["waiver"]["id"] == "WVR-0002" and waived["waiver"]["risk"]


# --- when ---


def _until(expires: str) -> WaiverFile:
    return WaiverFile.model_validate({**WAIVER, "expires": expires})


@pytest.mark.parametrize(
    ("expires", "now", "over", "days", "warned"),
    [
        # Midnight in India is the afternoon of the day before in UTC: neither zone's date may decide alone.
        ("2027-01-31T00:00:00+05:30", "2027-01-30T18:29:59+00:00", False, 1, 7),
        ("2027-01-31T00:00:00+05:30", "2027-01-30T18:30:00+00:00", True, 0, None),
        ("2027-01-31T00:00:00-10:00", "2027-01-31T09:59:59+00:00", False, 1, 7),
        ("2027-01-31T00:00:00-10:00", "2027-01-31T10:00:00+00:00", True, 0, None),
        ("2027-01-31T23:59:59Z", "2027-01-31T23:59:58+00:00", False, 0, 7),
        # 30 and 7 days before, to the second.
        ("2027-01-31T00:00:00+00:00", "2026-12-31T23:59:59+00:00", False, 31, None),
        ("2027-01-31T00:00:00+00:00", "2027-01-01T00:00:00+00:00", False, 30, 30),
        ("2027-01-31T00:00:00+00:00", "2027-01-23T23:59:59+00:00", False, 8, 30),
        ("2027-01-31T00:00:00+00:00", "2027-01-24T00:00:00+00:00", False, 7, 7),
        # Berlin's clock went forward on 2027-03-28: seven days of its calendar are 167 hours.
        ("2027-03-30T00:00:00+02:00[Europe/Berlin]", "2027-03-22T22:59:59+00:00", False, 8, 30),
        ("2027-03-30T00:00:00+02:00[Europe/Berlin]", "2027-03-22T23:00:00+00:00", False, 7, 7),
        ("2027-03-30T00:00:00+02:00[Europe/Berlin]", "2027-03-29T22:00:00+00:00", True, 0, None),
        # And back on 2026-10-25: 169 hours.
        ("2026-10-27T00:00:00+01:00[Europe/Berlin]", "2026-10-19T21:59:59+00:00", False, 8, 30),
        ("2026-10-27T00:00:00+01:00[Europe/Berlin]", "2026-10-19T22:00:00+00:00", False, 7, 7),
    ],
)
def test_the_last_moment_counts_in_the_waivers_own_zone(
    expires: str, now: str, over: bool, days: int, warned: int | None
) -> None:
    waiver, moment = _until(expires), datetime.fromisoformat(now)
    assert waiver.expired(moment) is over
    assert waiver.days_left(moment) == days
    warning = waiver.warning(moment)
    assert warning is None if warned is None else f"within {warned} days" in str(warning)


@pytest.mark.parametrize(
    ("expires", "said"),
    [
        ("2027-07-31T00:00:00+01:00[Europe/Berlin]", "2027-07-31T01:00:00+02:00 in Europe/Berlin"),
        ("2027-03-28T02:30:00+01:00[Europe/Berlin]", "in Europe/Berlin"),  # that half hour does not exist
        ("2027-01-31T00:00:00+05:30[Asia/Bombai]", "no moment of a known zone"),
        ("2027-02-30T00:00:00+00:00[Etc/UTC]", "no moment of a known zone"),
        ("31.01.2027", "time and zone"),
    ],
)
def test_a_date_that_its_zone_does_not_know_is_refused(expires: str, said: str) -> None:
    with pytest.raises(ValueError, match="expires") as caught:
        _until(expires)
    assert said in str(caught.value)


def test_all_waivers_are_listed_with_their_days(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "controls" / "waivers"
    folder.mkdir(parents=True)
    control = Control.model_construct(id="STK-SSH-001")
    monkeypatch.setattr("verify.__main__.load_catalogue", lambda _root: {"STK-SSH-001": control})
    now = datetime(2027, 1, 1, tzinfo=UTC)
    assert command_waivers(tmp_path, now) == 0
    assert "no waiver is recorded" in capsys.readouterr().out
    for number, expires in enumerate(("2027-02-01", "2027-01-11", "2026-12-31"), 1):
        text = {**WAIVER, "id": f"WVR-000{number}", "expires": f"{expires}T00:00:00+00:00"}
        (folder / f"{number}.yaml").write_text(yaml.safe_dump(text))
    assert command_waivers(tmp_path, now) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[:2] for line in lines] == [
        ["WVR-0003", "OVER"],
        ["WVR-0002", "10 days left"],
        ["WVR-0001", "31 days left"],
    ]
    assert all(word in lines[0] for word in (WAIVER["approver"], WAIVER["ticket"], WAIVER["risk"]))
