"""`python -m report build/report/results.json [--out build/report]`: every rendering of one run."""

from __future__ import annotations

import argparse
from pathlib import Path

from pydantic import ValidationError

import fault
from report import asff, brief, diagram, history, html, junit, oscal, sarif, summary, table, trend
from report.files import FILES, PACKED, clear, replaced
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


def write_all(report: Report, out: Path, packed: bool = False) -> list[Path]:
    """Write every rendering into `out`, which also holds the records of earlier runs; returns the files.

    `packed`: results.csv.gz instead of results.csv. All are replaced at once, when the last one is written.
    """
    past = trend.past_of(report, out / history.FOLDER)
    csv = PACKED if packed else "results.csv"
    with replaced(out) as fresh:
        texts = {
            "index.html": html.render(report, past),
            "summary.html": brief.render(report, past),
            "region.svg": diagram.svg(report.region, report, standalone=True),
        }
        for name, text in texts.items():
            (fresh / name).write_text(text, encoding="utf-8", errors="replace")
        junit.write(report, fresh / "junit.xml")
        sarif.write(report, fresh / "results.sarif")
        oscal.write(report, fresh / "oscal.json")
        table.write(report, fresh / csv)
        asff.write(report, fresh / "asff.json", history.read(out / history.FOLDER, report.run.stack))
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
    out: Path = options.out or options.results.parent
    try:
        report = load(options.results)
    except fault.Fault:
        clear(out)  # what stands there is of other results than those that were named
        raise
    written = write_all(report, out, options.gzip)
    summary.show(report)
    print(f"report: {written[0]}")
    return report.exit_code()


if __name__ == "__main__":
    fault.main(command)
