"""The agreed window: a day and two times of it, in a time zone. Used on the node and on the controller."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
WINDOW = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) (\d\d):(\d\d)-(\d\d):(\d\d)")


def in_window(window: str, zone: str, now: datetime) -> bool:
    """Whether an aware moment lies in `Sun 01:00-04:00` of that time zone; the end is not part of it.

    Raises ValueError, in one line, for a window that nobody could follow.
    """
    match = WINDOW.fullmatch(window)
    if match is None:
        raise ValueError(
            f"window {window!r}; a window is a day and two times of it; write it as 'Sun 01:00-04:00'"
        )
    local = now.astimezone(ZoneInfo(zone))
    begin, end = (f"{match[i]}:{match[i + 1]}" for i in (2, 4))
    return DAYS[local.weekday()] == match[1] and begin <= local.strftime("%H:%M") < end
