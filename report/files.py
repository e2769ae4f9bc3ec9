"""The files that one run is shown in: together or not at all, and none of an older run beside them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILES = (
    "index.html", "summary.html", "junit.xml", "results.sarif", "oscal.json", "results.csv", "asff.json",
    "region.svg",
)  # fmt: skip
PACKED = "results.csv.gz"


def clear(folder: Path) -> None:
    """Remove every rendering: what was true of an earlier run is not to be read as this one's."""
    for name in (*FILES, PACKED):
        (folder / name).unlink(missing_ok=True)


def shown(path: Path) -> Path:
    """The path as it is typed from here: without what leads to this folder."""
    whole, here = path.resolve(), Path.cwd()
    return whole.relative_to(here) if whole.is_relative_to(here) else whole


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """A folder to write renderings into, which take the place of older ones when all are there."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder) as fresh:
        yield Path(fresh)
        clear(folder)
        for path in sorted(Path(fresh).iterdir()):
            path.replace(folder / path.name)
