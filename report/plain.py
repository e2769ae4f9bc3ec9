"""Texts of nodes and accounts made safe to show: nothing unseen in them, and no text without an end."""

from __future__ import annotations

import re
import unicodedata

# Control characters, soft hyphens, marks that reverse or isolate direction (Unicode TR 9; CVE-2021-42574),
# zero-width space and joiners of words, tags, surrogates, non-characters. Joiners that Indian scripts need
# (U+200C, U+200D) stay. Everything XML 1.0 section 2.2 forbids is among them.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff"
    "\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)
_CUT = " … (cut; results.json holds all {length:,} characters)"


def plain(text: str, limit: int | None = None) -> str:
    """The text with every unseen character shown as U+FFFD, and cut to `limit` characters with a remark."""
    shown = _UNSEEN.sub("\ufffd", text.replace("\r\n", "\n"))
    if limit is None or len(shown) <= limit:
        return shown
    remark = _CUT.format(length=len(text))
    return shown[: max(0, limit - len(remark))] + remark


def one_line(text: str) -> str:
    """The text without line breaks and control characters: a node's answer must not drive a terminal."""
    spaced = " ".join(text.split())
    return "".join("\ufffd" if unicodedata.category(c) in {"Cc", "Cf", "Cs"} else c for c in spaced)


def label(text: str, limit: int = 250) -> str:
    """One line that is never empty and never longer than `limit`, for names and titles of other formats."""
    line = one_line(text[: limit * 4]) or "unnamed"
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
