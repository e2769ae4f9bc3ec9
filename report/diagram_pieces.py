"""Small pieces of SVG: elements, text that fits, arrow heads. ElementTree escapes all that nodes say."""

from __future__ import annotations

import re
from xml.etree import ElementTree as Tree

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
WIDE = 0.64  # width of an average character in em; DejaVu Sans, the widest of the system fonts we name
Point = tuple[float, float]


def clean(text: str) -> str:
    """The text with every character that XML forbids shown as U+FFFD."""
    return _FORBIDDEN.sub("\ufffd", text)


def add(parent: Tree.Element, tag: str, kind: str = "", **attributes: float | str) -> Tree.Element:
    shown = {
        k.replace("_", "-"): f"{v:.1f}" if isinstance(v, float) else str(v) for k, v in attributes.items()
    }
    return Tree.SubElement(parent, tag, ({"class": kind} if kind else {}) | shown)


def text_element(parent: Tree.Element, tag: str, text: str, **attributes: str) -> Tree.Element:
    """A child that holds text only: title, desc, style."""
    element = add(parent, tag, "", **attributes)
    element.text = clean(text)
    return element


def fit(text: str, width: float, size: float) -> str:
    """The text, cut with an ellipsis to what surely fits `width` pixels at a font size."""
    room_for = max(1, int(width / (size * WIDE)))
    return text if len(text) <= room_for else text[: room_for - 1] + "…"


_SIZES = {
    "d-small": 10.5,
    "d-note": 12.0,
    "d-name": 12.0,
    "d-head": 13.0,
    "d-title": 15.0,
    "d-pill-text": 10.0,
}


def label(parent: Tree.Element, at: Point, text: str, kind: str, width: float) -> Tree.Element:
    """One line of text at (x, baseline), cut to `width`, with the whole text as its tooltip when cut."""
    shown = fit(text, width, _SIZES[kind.split(maxsplit=1)[0]])
    element = add(parent, "text", kind, x=float(at[0]), y=float(at[1]))
    element.text = clean(shown)
    if shown != text:
        text_element(element, "title", text)
    return element


def markers(root: Tree.Element) -> None:
    """One arrow head for each kind of flow."""
    defs = add(root, "defs")
    for kind in ("internet", "site", "role", "service"):
        marker = add(
            defs, "marker", "", id=f"d-arrow-{kind}", viewBox="0 0 8 8", refX=7.0, refY=4.0,
            markerWidth=8.0, markerHeight=8.0, markerUnits="userSpaceOnUse", orient="auto",
        )  # fmt: skip
        add(marker, "path", f"d-head-{kind}", d="M0.5,0.5 L7.5,4 L0.5,7.5 Z")
