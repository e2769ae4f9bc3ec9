"""Putting our functions into moto's classes."""

from __future__ import annotations

from typing import Any


def place(owner: Any, **members: Any) -> None:
    """Set methods or properties of a class; what calls them by name finds ours from now on."""
    for name, member in members.items():
        setattr(owner, name, member)
