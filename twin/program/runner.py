"""The program's own process: `python -P twin/program/runner.py`. Runs `__main__.py` unchanged, with the real
SDK.

It reads where to connect from the environment (STOCKADE_HOST_*), sets up the SDK as Pulumi's language host
does, and ends with the program. It dies with the process that started it.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import runpy
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

_PR_SET_PDEATHSIG = 1  # prctl(2)


def main() -> None:
    """Run the program at the path in STOCKADE_HOST_PROGRAM against the host at STOCKADE_HOST_ADDRESS."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(os.environ["STOCKADE_HOST_PARENT"]):
        sys.exit(1)  # the parent died before the line above
    parallel = int(os.environ["STOCKADE_HOST_PARALLEL"])
    loop = asyncio.new_event_loop()  # before the SDK is configured: it binds to the current loop
    asyncio.set_event_loop(loop)
    loop.set_default_executor(ThreadPoolExecutor(max_workers=parallel))
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    import pulumi.log  # noqa: PLC0415 - after the loop
    import pulumi.runtime  # noqa: PLC0415

    # Each debug line is a blocking call to the engine, four for every resource, and nobody would read them.
    pulumi.log.debug = lambda *_args, **_kwargs: None
    address, program = os.environ["STOCKADE_HOST_ADDRESS"], os.environ["STOCKADE_HOST_PROGRAM"]
    folder = os.path.dirname(program)  # noqa: PTH120 - sys.path wants text
    pulumi.runtime.configure(
        pulumi.runtime.Settings(
            project=os.environ["STOCKADE_HOST_PROJECT"],
            root_directory=folder,
            stack=os.environ["STOCKADE_HOST_STACK"],
            organization="organization",
            parallel=parallel,
            engine=address,
            monitor=address,
            dry_run=os.environ["STOCKADE_HOST_PREVIEW"] == "1",
        )
    )
    sys.path.insert(0, folder)
    sys.argv = [program]

    def program_body() -> None:
        runpy.run_path(program, run_name="__main__")

    loop.run_until_complete(pulumi.runtime.run_in_stack(program_body))


if __name__ == "__main__":
    main()
