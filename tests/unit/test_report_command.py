"""`python -m report` writes every rendering, ends with the run's code, and says what it cannot read."""

from __future__ import annotations

from pathlib import Path

import pytest

from fault import Fault
from report.__main__ import FILES, command
from tests.unit import report_sample as sample


@pytest.mark.parametrize(("good", "code"), [(True, 0), (False, 3)])
def test_every_rendering_is_written_and_the_code_is_that_of_the_run(
    good: bool, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sample.report(good=good, node_controls=9, region_controls=8).save(tmp_path / "in" / "results.json")
    assert command([str(tmp_path / "in" / "results.json"), "--out", str(tmp_path / "out")]) == code
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(FILES)
    printed = capsys.readouterr().out
    assert printed.startswith("OK" if good else "NOT OK")
    assert "index.html" in printed.splitlines()[-1]


def test_without_a_folder_the_renderings_lie_beside_the_results(tmp_path: Path) -> None:
    sample.report(good=True, node_controls=9, region_controls=8).save(tmp_path / "results.json")
    command([str(tmp_path / "results.json")])
    assert (tmp_path / "index.html").is_file()


def test_a_packed_table_replaces_the_plain_one_and_the_other_way_round(tmp_path: Path) -> None:
    sample.report(good=True, node_controls=9, region_controls=8).save(tmp_path / "results.json")
    for options, there in (([], "results.csv"), (["--gzip"], "results.csv.gz"), ([], "results.csv")):
        command([str(tmp_path / "results.json"), *options])
        assert [path.name for path in tmp_path.glob("results.csv*")] == [there]


def test_two_renderings_of_one_run_are_the_same_bytes(tmp_path: Path) -> None:
    sample.report().save(tmp_path / "results.json")
    for folder in ("a", "b"):
        command([str(tmp_path / "results.json"), "--out", str(tmp_path / folder)])
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "No such file"),
        ("", "file: Invalid JSON"),
        ("[]", "file: "),
        ('{"schema": "stockade/results/2"}', "schema: "),
    ],
)
def test_what_is_no_result_file_is_a_fault_in_one_line(
    content: str | None, problem: str, tmp_path: Path
) -> None:
    path = tmp_path / "results.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(Fault, match=r"results\.json") as caught:
        command([str(path)])
    assert problem in caught.value.problem
    assert caught.value.code == 2
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "index.html").exists()
