"""`python -m report build/report/results.json [--out build/report]`: every rendering of one run."""

from __future__ import annotations

import argparse
from pathlib import Path

from pydantic import ValidationError

import fault
from report import diagram, html, junit, summary
from report.model import Report


def load(path: Path) -> Report:
    """Read results.json; raises Fault (exit code 2) when it is absent or not a result file."""
    try:
        return Report.load(path)
    except OSError as error:
        raise fault.Fault(
            f"{path}: {error.strerror}", "a report is made from results.json", "run the verification first"
        ) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "file"
        raise fault.Fault(
            f"{path}: {where}: {first['msg']}",
            "results.json follows report/model.py",
            "run the verification again",
        ) from error


def write_all(report: Report, out: Path) -> list[Path]:
    """Write index.html, junit.xml and region.svg into `out`; returns the files."""
    out.mkdir(parents=True, exist_ok=True)
    page, cases, picture = out / "index.html", out / "junit.xml", out / "region.svg"
    page.write_text(html.render(report), encoding="utf-8", errors="replace")
    junit.write(report, cases)
    drawing = diagram.svg(report.region, report, standalone=True)
    picture.write_text(drawing, encoding="utf-8", errors="replace")
    return [page, cases, picture]


def command(arguments: list[str] | None = None) -> int:
    """Render, print the summary, and return the exit code of the run that is shown."""
    parser = argparse.ArgumentParser(prog="python -m report", description="Render the results of a run.")
    parser.add_argument("results", type=Path, help="results.json")
    parser.add_argument("--out", type=Path, help="folder for the renderings; default: beside results.json")
    options = parser.parse_args(arguments)
    report = load(options.results)
    written = write_all(report, options.out or options.results.parent)
    summary.show(report)
    print(f"report: {written[0]}")
    return report.exit_code()


if __name__ == "__main__":
    fault.main(command)
