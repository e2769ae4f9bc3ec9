"""Procedures: a record is fresh, by a role, with the document that was filed; all else is a complaint."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from controls import load
from controls.procedures import load_records, standing
from fault import Fault

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples" / "procedures"
DAY = date(2026, 11, 22)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLES, tmp_path / "records"))


def said(folder: Path, control: str = "STK-PRC-001", day: date = DAY) -> str:
    return standing(load(ROOT)[control], load_records(folder), folder, day).complaint


def change(folder: Path, old: str, new: str) -> None:
    path = folder / "provider-attestations-2026-06-01.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_the_examples_stand_on_the_day_they_are_for(folder: Path) -> None:
    assert said(folder) == said(folder, "STK-PRC-003") == ""


@pytest.mark.parametrize(
    ("day", "wrong"),
    [
        (date(2027, 6, 1), ""),
        (date(2027, 6, 2), "due since 2027-06-01: last performed 2026-06-01 by compliance officer"),
        (date(2026, 5, 31), "still to come"),
    ],
)
def test_a_record_counts_to_its_last_day(folder: Path, day: date, wrong: str) -> None:
    assert (wrong in said(folder, day=day)) if wrong else said(folder, day=day) == ""


def test_a_missing_record_names_who_owes_it(folder: Path) -> None:
    assert said(folder, "STK-PRC-002").startswith("no record: security team performs it every 365 days")


def test_the_newest_record_counts_even_when_an_older_one_is_whole(folder: Path) -> None:
    text = (folder / "provider-attestations-2026-06-01.yaml").read_text()
    (folder / "newer.yaml").write_text(text.replace("2026-06-01", "2026-07-01"))
    assert "provider-attestations-2026-07-01.txt is missing" in said(folder)


def test_an_altered_or_lost_document_is_seen(folder: Path) -> None:
    document = folder / "provider-attestations-2026-06-01.txt"
    document.write_text(document.read_text().replace("EXAMPLE", "example"))
    assert "is not the one that was filed" in said(folder)
    document.unlink()
    assert "is missing" in said(folder)
    document.symlink_to("/etc/hostname")
    assert "leads out of the folder" in said(folder)


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ("by: compliance officer", "by: A. Person", "by"),
        ("by: compliance officer", "by: someone@example.org", "by"),
        ('performed: "2026-06-01"', "performed: 2026-06-01", "quoted text"),
        ('performed: "2026-06-01"', 'performed: "June"', "performed"),
        ('expires: "2027-09-30"', "expires: 2027-09-30", "quoted text"),
        ("file: provider", "file: ../provider", "never outside"),
        ("remark: an example", "note: an example", "note"),
        ("control: STK-PRC-001", "control: STK-SSH-001", "control"),
    ],
)
def test_a_wrong_record_is_one_line(folder: Path, old: str, new: str, wrong: str) -> None:
    change(folder, old, new)
    with pytest.raises(Fault, match=wrong) as caught:
        load_records(folder)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_there_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="is no folder"):
        load_records(tmp_path / "none")


ASSESSMENT = "third-party-assessment-2026-08-15"


def assess(folder: Path, findings: str, name: str = ASSESSMENT) -> None:
    """File the example assessment with other findings, under this name."""
    text = (EXAMPLES / f"{ASSESSMENT}.yaml").read_text()
    kept = [line for line in text.splitlines() if not line.startswith(("findings:", "  - {id:"))]
    (folder / f"{name}.yaml").write_text("\n".join([*kept, findings, ""]))


@pytest.mark.parametrize(
    ("findings", "wrong"),
    [
        ("findings: []", ""),
        ('findings: [{id: A-1, due: "2026-11-22"}]', ""),
        ('findings: [{id: A-1, due: "2026-11-21"}]', "A-1 (due 2026-11-21)"),
        ('findings: [{id: A-1, due: "2026-11-21", closed: "2026-11-22"}]', ""),
        ('findings: [{id: A-1, due: "2026-11-21", closed: "2026-11-23"}]', "1 finding(s) open past"),
        ("", "has no `findings`"),
    ],
)
def test_a_finding_is_closed_by_its_day(folder: Path, findings: str, wrong: str) -> None:
    assess(folder, findings)
    found = said(folder, "STK-PRC-003")
    assert (wrong in found) if wrong else found == ""


def test_a_new_assessment_does_not_close_what_an_older_one_found(folder: Path) -> None:
    assess(folder, 'findings: [{id: A-1, due: "2026-11-01"}]', "an-older-one")
    assess(folder, "findings: []")
    assert "A-1 (due 2026-11-01)" in said(folder, "STK-PRC-003")
    assess(folder, 'findings: [{id: A-1, due: "2026-11-01", closed: "2026-11-02"}]')
    assert said(folder, "STK-PRC-003") == ""


def test_an_attestation_ends_on_its_own_day(folder: Path) -> None:
    change(folder, 'expires: "2027-09-30"', 'expires: "2026-11-21"')
    assert said(folder) == "what was filed on 2026-06-01 ran out on 2026-11-21"
    change(folder, 'expires: "2026-11-21"\n', "")
    assert "has no `expires`" in said(folder)
