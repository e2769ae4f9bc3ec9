"""The control catalogue."""

from controls.model import Control, load

__all__ = ["Control", "load"]
