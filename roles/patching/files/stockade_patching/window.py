"""The agreed window: a day and two times of it, in a time zone. Used on the node and on the controller."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
WINDOW = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) (\d\d):(\d\d)-(\d\d):(\d\d)")


def times(window: str) -> tuple[str, str, str]:
    """(day, begin, end) of `Sun 01:00-04:00`; raises ValueError for one that nobody could follow."""
    match = WINDOW.fullmatch(window)
    begin, end = (f"{match[i]}:{match[i + 1]}" for i in (2, 4)) if match else ("", "")
    if match is None or not begin < end <= "24:00" or max(begin[3:], end[3:]) > "59":
        raise ValueError(
            f"window {window!r}; a window is a day and two times of it, the end after the begin; "
            "write it as 'Sun 01:00-04:00'"
        )
    return match[1], begin, end


def in_window(window: str, zone: str, now: datetime) -> bool:
    """Whether an aware moment lies in `Sun 01:00-04:00` of that time zone; the end is not part of it.

    By the clock on the wall there: an hour that daylight saving repeats counts twice, a missing one never.
    Raises ValueError, in one line, for a window that nobody could follow.
    """
    day, begin, end = times(window)
    local = now.astimezone(ZoneInfo(zone))
    return DAYS[local.weekday()] == day and begin <= local.strftime("%H:%M") < end
