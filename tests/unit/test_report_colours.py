"""The diagram can be read on every ground it stands on, in both themes (WCAG 2.2, 1.4.3: 4.5 to 1)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CSS = Path(__file__).parents[2] / "report" / "templates" / "diagram.css"
GROUNDS = ("paper", "region", "vpc", "public", "private", "isolated", "box")


def _themes() -> dict[str, dict[str, str]]:
    blocks = [dict(re.findall(r"--d-(\w+): (#[0-9a-f]{6})", b)) for b in CSS.read_text().split("}")]
    light, *dark = [block for block in blocks if "paper" in block]
    assert len(dark) == 2
    assert dark[0] == dark[1], "the system's dark and the toggle's dark differ"
    return {"light": light, "dark": dark[0]}


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_have_contrast_on_every_ground(theme: str) -> None:
    colours = _themes()[theme]
    low = [
        (word, ground)
        for word in ("ink", "soft")
        for ground in GROUNDS
        if _contrast(colours[word], colours[ground]) < 4.5
    ]
    assert low == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_symbol_of_a_status_has_contrast(theme: str) -> None:
    """Once in the colour of the paper on the status, once in the status's colour on the node's box."""
    colours = _themes()[theme]
    for status in ("pass", "fail", "error", "waived", "na", "manual"):
        assert _contrast(colours[status], colours["paper"]) >= 4.5, status
        assert _contrast(colours[status], colours["box"]) >= 4.5, status
