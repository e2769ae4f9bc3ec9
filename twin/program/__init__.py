"""Runs the Pulumi program, unchanged, against the emulated account.

`run(stack, account, mode)` is the door: "up" makes what the program says, "preview" says what up would do,
"down" removes everything that up made.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import fault
from twin.program import provider, wire
from twin.program import state as states
from twin.program.aws import Clients
from twin.program.engine import Engine, Step
from twin.program.host import Host
from twin.program.project import Project, load
from twin.program.removal import Removal

if TYPE_CHECKING:
    from twin.account import Account

__all__ = ["Run", "Step", "run"]

PARALLEL = 24  # registrations at a time; more only queues in the emulated account, which shares two cores
REPOSITORY = Path(__file__).resolve().parents[2]
RUNNER = Path(__file__).with_name("runner.py")
"""Started as a file: by its name this package would be imported with it, which a program needs nothing of."""
Mode = Literal["up", "preview", "down"]
OnStep = Callable[[str, str, str], None]


@dataclass(frozen=True)
class Run:
    """What a run did. `outputs` are the stack's outputs in plain values, secrets unwrapped for the caller."""

    outputs: dict[str, Any] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    planned: tuple[dict[str, Any], ...] = ()
    remarks: tuple[str, ...] = ()

    def counts(self) -> dict[str, int]:
        """How many resources per step, e.g. {"create": 312}."""
        return dict(Counter(step.step for step in self.steps))

    @property
    def changes(self) -> int:
        """Steps that changed (or would change) something."""
        return sum(step.step != "same" for step in self.steps)


def run(  # noqa: PLR0913 - keywords
    stack: str,
    account: Account | None,
    mode: Mode = "up",
    on_step: OnStep | None = None,
    *,
    root: Path = Path(),
    build: Path | None = None,
) -> Run:
    """Host the program of `root` for a stack.

    `on_step(urn, step, type)` is called from many threads, one call at a time. Raises Fault: a resource that
    could not be made, a program that failed, a project that cannot be read. What was made is in the state.
    """
    root, on_step = root.resolve(), _one_at_a_time(on_step)
    folder = (build or root / "build").resolve() / "region" / stack
    if account is None and mode != "preview":
        raise fault.Fault(
            f"{mode} {stack}: no account", f"{mode} needs an emulated account", "start the account"
        )
    with states.locked(folder):
        state, remark = states.State.load(folder, account.born if account else "none")
        remarks = (remark,) if remark else ()
        clients = _clients(account) if account else None
        if mode == "down":
            assert clients is not None
            return _down(state, clients, on_step, remarks)
        return _program(load(root, stack), stack, state, clients, mode == "preview", on_step, remarks)


def _one_at_a_time(on_step: OnStep | None) -> OnStep | None:
    if on_step is None:
        return None
    lock = threading.Lock()

    def call(urn: str, step: str, kind: str) -> None:
        with lock:
            on_step(urn, step, kind)

    return call


def _clients(account: Account) -> Clients:
    credentials = account.env["AWS_ACCESS_KEY_ID"], account.env["AWS_SECRET_ACCESS_KEY"]
    return Clients(account.endpoint, account.id, account.region, credentials)


def _down(state: states.State, clients: Clients, on_step: OnStep | None, remarks: tuple[str, ...]) -> Run:
    # `protect` and `retain` guard a real account; the emulated one ends here, so everything goes.
    steps: list[Step] = []

    def note(urn: str, step: str, kind: str) -> None:
        steps.append(Step(urn, step, kind))
        if on_step is not None:
            on_step(urn, step, kind)

    removal = Removal(state, clients, note, ending=True)
    try:
        removal.condemned()
        removal.records(list(state.records))
    finally:
        state.save()
    (state.folder / "state.json").unlink(missing_ok=True)
    return Run(steps=tuple(steps), remarks=remarks)


def _program(  # noqa: PLR0913, PLR0917
    project: Project,
    stack: str,
    state: states.State,
    clients: Clients | None,
    preview: bool,
    on_step: OnStep | None,
    remarks: tuple[str, ...],
) -> Run:
    if not project.program.is_file():
        raise fault.Fault(f"{project.program}: not found", "a Python program is __main__.py", "check `main:`")
    engine = Engine(project.name, stack, state, clients, preview=preview, on_step=on_step)
    if not preview:
        state.save()  # the journal needs a snapshot that names this life of the account
    try:
        with Host(engine, PARALLEL) as host:
            code = _child(project, stack, host.address, preview, state.folder)
        _raise_failures(host, code, state.folder)
        if not preview:
            assert clients is not None
            _remove_leftovers(engine, state, clients)
    finally:
        if not preview:
            state.save()
    outputs = wire.describe(host.gathered.outputs) if preview else wire.reveal(host.gathered.outputs)
    return Run(outputs, tuple(engine.steps), tuple(engine.planned), remarks)


def _child(project: Project, stack: str, address: str, preview: bool, folder: Path) -> int:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PULUMI_", "PYTHONDONTWRITE"))}
    env |= {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH", "")])),
        "PULUMI_CONFIG": json.dumps(project.config),
        "PULUMI_CONFIG_SECRET_KEYS": "[]",
        "STOCKADE_HOST_ADDRESS": address,
        "STOCKADE_HOST_PARALLEL": str(PARALLEL),
        "STOCKADE_HOST_PARENT": str(os.getpid()),
        "STOCKADE_HOST_PREVIEW": "1" if preview else "0",
        "STOCKADE_HOST_PROGRAM": str(project.program),
        "STOCKADE_HOST_PROJECT": project.name,
        "STOCKADE_HOST_STACK": stack,
    }
    with (folder / "program.log").open("w") as log:
        return started([sys.executable, "-P", str(RUNNER)], project.program.parent, env, log)


def started(command: list[str], folder: Path, env: Mapping[str, str], log: IO[str]) -> int:
    """The program's own process, to its end; it never outlives us. Returns its exit code."""
    child = subprocess.Popen(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        return child.wait()
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()


def _raise_failures(host: Host, code: int, folder: Path) -> None:
    failures = host.gathered.failures
    if failures:
        first = failures[0]
        more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        raise fault.Fault(first.problem + more, first.rule, first.fix, first.code)
    if code != 0:
        log = folder / "program.log"
        lines = [line for line in log.read_text().splitlines() if line.strip()]
        said = lines[-1].strip() if lines else f"exit status {code}, no message"
        messages = [m for m in host.gathered.messages if m.startswith("error")]
        raise fault.Fault(
            f"the program failed: {messages[0].splitlines()[0] if messages else said}",
            "a run counts only when the program ends well",
            f"see {log}",
        )


def _remove_leftovers(engine: Engine, state: states.State, clients: Clients) -> None:
    removal = Removal(state, clients, engine.note)
    removal.condemned()
    left = [urn for urn in state.records if urn not in engine.seen]
    for urn in left:
        record = state.records[urn]
        if record.protect:
            raise fault.Fault(
                f"{urn}: gone from the program, but protected",
                "a protected resource is not deleted by leaving it out",
                "first run with protect=False, then leave it out",
            )
    retained = [urn for urn in left if state.records[urn].retain]
    for urn in retained:
        state.remove(urn)
    removal.records([urn for urn in left if urn not in retained and state.records[urn].type != provider.TYPE])
    removal.records([urn for urn in left if urn not in retained and urn in state.records])
