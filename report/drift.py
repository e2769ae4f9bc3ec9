"""What changed against the accepted run, sorted by what it means."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from report.model import Change, Status
from report.verdict import OPEN, URGENCY

Kind = Literal["worse", "gone", "new and open", "changed", "new", "better"]
KINDS: tuple[Kind, ...] = ("worse", "gone", "new and open", "changed", "new", "better")
_HELD = (Status.PASS, Status.NOT_APPLICABLE)


def kind(change: Change) -> Kind:
    """What a change means. Becoming not applicable or waived is no improvement: nothing was repaired."""
    before, after = change.before, change.after
    if after is None:
        return "gone"
    if before is None:
        return "new and open" if after in OPEN else "new"
    if after is Status.PASS:
        return "better"
    if before in _HELD and after not in _HELD:
        return "worse"
    if after in OPEN and (before not in OPEN or URGENCY.index(after) < URGENCY.index(before)):
        return "worse"
    return "changed"


def sorted_changes(changes: Iterable[Change]) -> list[tuple[Kind, Change]]:
    """Worst first; inside one kind by control and subject."""
    found = [(kind(change), change) for change in changes]
    return sorted(found, key=lambda pair: (KINDS.index(pair[0]), pair[1].control, pair[1].subject))
