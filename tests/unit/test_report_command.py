"""`python -m report` writes every rendering, ends with the run's code, and says what it cannot read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fault import Fault
from report import html
from report.__main__ import command
from report.files import FILES
from tests.unit import report_sample as sample
from tests.unit import verify_bench
from tests.unit.verify_bench import GOOD, Bench

pytest_plugins = ["pytester"]
bench = verify_bench.bench  # the fixture
SMALL: dict[str, Any] = {"good": True, "node_controls": 9, "region_controls": 8}


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


@pytest.mark.parametrize("content", ["", '{"schema": "stockade/results/2"}'])
def test_unreadable_results_leave_no_page_of_an_older_run(content: str, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    sample.report(**SMALL).save(path)
    command([str(path)])
    path.write_text(content)
    with pytest.raises(Fault):
        command([str(path)])
    assert [found.name for found in tmp_path.iterdir()] == ["results.json"]


def test_renderings_are_replaced_together_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "results.json"
    sample.report(**SMALL).save(path)
    command([str(path)])
    before = {name: (tmp_path / name).read_bytes() for name in FILES}
    sample.report(**SMALL | {"good": False}).save(path)

    def broken(*_: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(html, "render", broken)
        command([str(path)])
    assert {name: (tmp_path / name).read_bytes() for name in FILES} == before
    assert {found.name for found in tmp_path.iterdir()} == {*FILES, "results.json"}
    command([str(path)])
    assert all((tmp_path / name).read_bytes() != before[name] for name in ("index.html", "junit.xml"))


@pytest.mark.parametrize(
    ("tests", "arguments"),
    [
        ("pytest.exit('the power went')", ()),
        ("def test_broken(: pass", ()),
        (GOOD, ("--aws-env", "/nowhere")),
        (GOOD, ("--nodes", "no-such-node")),
    ],
    ids=["interrupted", "not collected", "wrong use", "wrong selection"],
)
def test_a_run_that_came_to_nothing_leaves_nothing_green_behind(
    bench: Bench, tests: str, arguments: tuple[str, ...]
) -> None:
    results = bench.pytester.path / "results.json"
    assert bench.run(GOOD).ret == 0
    command([str(results)])
    assert bench.run(tests, *arguments).ret != 0
    assert not results.exists() or bench.results["faults"]
    assert [name for name in FILES if (results.parent / name).exists() and name != "junit.xml"] == []
    assert results.exists() == (results.parent / "junit.xml").exists()


def test_a_look_at_what_would_run_leaves_the_last_run_as_it_is(bench: Bench) -> None:
    results = bench.pytester.path / "results.json"
    assert bench.run(GOOD).ret == 0
    command([str(results)])
    before = (results.parent / "index.html").read_bytes()
    bench.run(GOOD, "--collect-only")
    assert (results.parent / "index.html").read_bytes() == before and results.exists()
