"""`python -m report build/report/results.json [--out build/report]`: every rendering of one run."""

from __future__ import annotations

import argparse
from pathlib import Path

from pydantic import ValidationError

import fault
from report import asff, brief, diagram, history, html, junit, oscal, sarif, summary, table, trend
from report.model import Report

FILES = (
    "index.html", "summary.html", "junit.xml", "results.sarif", "oscal.json", "results.csv", "asff.json",
    "region.svg",
)  # fmt: skip


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


def write_all(report: Report, out: Path, packed: bool = False) -> list[Path]:
    """Write every rendering into `out`, which also holds the history of earlier runs; returns the files.

    `packed`: results.csv.gz instead of results.csv; the other one, of an earlier run, goes.
    """
    out.mkdir(parents=True, exist_ok=True)
    past = trend.past_of(report, out / history.FOLDER)
    texts = {
        "index.html": html.render(report, past),
        "summary.html": brief.render(report, past),
        "region.svg": diagram.svg(report.region, report, standalone=True),
    }
    for name, text in texts.items():
        (out / name).write_text(text, encoding="utf-8", errors="replace")
    junit.write(report, out / "junit.xml")
    sarif.write(report, out / "results.sarif")
    oscal.write(report, out / "oscal.json")
    csv, other = ("results.csv.gz", "results.csv") if packed else ("results.csv", "results.csv.gz")
    (out / other).unlink(missing_ok=True)
    table.write(report, out / csv)
    asff.write(report, out / "asff.json", history.read(out / history.FOLDER, report.run.stack))
    return [out / (csv if name == "results.csv" else name) for name in FILES]


def command(arguments: list[str] | None = None) -> int:
    """Render, print the summary, and return the exit code of the run that is shown."""
    parser = argparse.ArgumentParser(prog="python -m report", description="Render the results of a run.")
    parser.add_argument("results", type=Path, help="results.json")
    parser.add_argument("--out", type=Path, help="folder for the renderings; default: beside results.json")
    parser.add_argument(
        "--gzip", action="store_true", help="results.csv.gz, for a fleet of hundreds of nodes"
    )
    options = parser.parse_args(arguments)
    report = load(options.results)
    written = write_all(report, options.out or options.results.parent, options.gzip)
    summary.show(report)
    print(f"report: {written[0]}")
    return report.exit_code()


if __name__ == "__main__":
    fault.main(command)
