"""The control catalogue."""

from controls.model import AREAS, Control, load

__all__ = ["AREAS", "Control", "load"]
