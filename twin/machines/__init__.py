"""Real Debian nodes, real packets: the half of the twin that boots machines.

`up` and `down` for a region's nodes, `attach` to those that are up, `lone` for one node in a test.
"""

from __future__ import annotations

from twin.machines.fleet import Machines, attach, down, obstacle, states, up
from twin.machines.scratch import Lone, lone, passing

__all__ = ["Lone", "Machines", "attach", "down", "lone", "obstacle", "passing", "states", "up"]
