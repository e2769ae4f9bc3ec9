"""The reference pages are those that program and catalogue make now."""

from __future__ import annotations

from docs import reference


def test_the_pages_are_current() -> None:
    stale = [
        name
        for name, text in reference.pages().items()
        if not (reference.OUT / name).exists() or (reference.OUT / name).read_text(encoding="utf-8") != text
    ]
    assert stale == [], "python -m docs.reference write"


def test_every_component_says_what_it_is() -> None:
    found = reference.components()
    assert len(found) > 20
    assert [one.token for one in found if len(one.doc) < 20] == []
    assert len({one.token for one in found}) == len(found), "two components share a token"
