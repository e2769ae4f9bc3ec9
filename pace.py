"""Makes the program's run grow with the number of its resources, and not with their square.

Pulumi's SDK (3.272) ends a program by waiting for its outputs: again and again for the first of all that are
left, each time laying a hand on every one of them. Eight thousand outputs cost half of the run that way.
Waiting until all are done, or one has failed, means the same and touches each output once.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import types
from typing import Any

from pulumi.runtime import stack

_OBJECTS_BETWEEN_COLLECTIONS = 100_000  # Python's 700 collect 300 times while the SDK's classes are made


def quicken() -> bool:
    """Let the SDK wait for its outputs together, and collect garbage rarely. False, and nothing about the
    waiting is changed, when the SDK no longer waits as described above.
    """
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, 50, 50)
    module: Any = stack
    waits = inspect.getsource(module.wait_for_rpcs).count("return_when=asyncio.FIRST_COMPLETED")
    if waits != 1 or inspect.getsource(module).count("FIRST_COMPLETED") != 1:
        return False
    ours = types.SimpleNamespace(**vars(asyncio))
    ours.FIRST_COMPLETED = asyncio.FIRST_EXCEPTION
    module.asyncio = ours
    return True
