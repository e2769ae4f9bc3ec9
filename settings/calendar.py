"""Which day it is, for everything that ends on a day: teams, sources, switches, indicators.

Tests state a day of their own (`STOCKADE_TODAY`), so that a stack file which is good today is good in them
for ever. Nothing that touches a real account may believe such a day: `genuine` refuses it there.
"""

from __future__ import annotations

import os
from datetime import UTC, date, datetime

from fault import WRONG_USE, Fault

STATED = "STOCKADE_TODAY"


def today() -> date:
    """The day in UTC: what lasts until a day lasts until its end there. Raises Fault on a stated day that is
    none.
    """
    said = os.environ.get(STATED)
    if not said:
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(said)
    except ValueError:
        raise Fault(f"{STATED}={said}", "a day is written 2026-11-30", f"unset {STATED}", WRONG_USE) from None


def genuine() -> None:
    """Refuse a stated day, before a real account is touched. Raises Fault."""
    said = os.environ.get(STATED)
    if said:
        rule = "only rehearsals choose their day; a real account goes by the clock"
        raise Fault(f"{STATED}={said}", rule, f"unset {STATED}", WRONG_USE)
