"""Deleting in reverse dependency order: what depends on a resource goes before it; the rest in parallel."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import fault
from twin.program import handlers, provider
from twin.program.aws import Clients
from twin.program.handlers.spec import Call
from twin.program.operations import Operations
from twin.program.state import Record, State

Note = Callable[[str, str, str], None]


class Removal:
    """Removes records' resources. Failures are collected: one stuck resource does not hide the others."""

    def __init__(self, state: State, clients: Clients, note: Note, *, ending: bool = False) -> None:
        self.state, self.clients, self.note, self.ending = state, clients, note, ending
        self.operations = Operations(state)

    def condemned(self) -> None:
        """Delete replaced resources whose dependents have moved on."""
        self._waves(dict(self.state.condemned), self._drop_condemned)

    def records(self, urns: Iterable[str]) -> None:
        """Delete these resources and forget them."""
        self._waves({urn: self.state.records[urn] for urn in urns}, self._drop_record)

    def _waves(self, targets: dict[str, Record], drop: Callable[[Record], None]) -> None:
        left, failures = dict(targets), list[fault.Fault]()
        blocked: set[str] = set()
        with ThreadPoolExecutor(max_workers=16) as pool:
            while left:
                wave = _leaves(left)
                for key, failure in zip(
                    wave, pool.map(lambda k: self._try(left[k], drop), wave), strict=True
                ):
                    record = left.pop(key)
                    if failure is not None:
                        failures.append(failure)
                        blocked |= needs(record)
                for key in [key for key, record in left.items() if record.urn in blocked]:
                    blocked |= needs(left.pop(key))
        if failures:
            raise failures[0]

    @staticmethod
    def _try(record: Record, drop: Callable[[Record], None]) -> fault.Fault | None:
        try:
            drop(record)
        except Exception as error:
            return Operations.as_fault(error, record.urn, "delete")
        return None

    def _drop_condemned(self, record: Record) -> None:
        self._delete(record)
        self.state.released(record)

    def _drop_record(self, record: Record) -> None:
        if record.custom and record.type != provider.TYPE:
            self._delete(record)
        self.state.remove(record.urn)
        self.note(record.urn, "delete", record.type)

    def _delete(self, record: Record) -> None:
        spec = handlers.find(record.type)
        if spec is None:
            raise fault.Fault(
                f"{record.urn}: no handler to delete {record.type}", "the state names it", "make down"
            )
        region = str(record.inputs.get("region") or self.clients.region)
        call = Call(self.clients, region, record.urn, record.name, dict(record.inputs), {}, type=record.type)
        call.ending = self.ending
        if record.pending:
            # announced, perhaps made: its token gives the id if so, else makes what is then removed
            call.token = record.pending
            record.id = spec.make(call)
        self.operations.delete(spec, call, record)


def needs(record: Record) -> set[str]:
    """URNs that must outlive a record."""
    return {*record.dependencies, record.parent, record.provider.rpartition("::")[0]} - {""}


def _leaves(left: dict[str, Record]) -> list[str]:
    needed = set[str]().union(*(needs(record) for record in left.values()))
    wave = [key for key, record in left.items() if record.urn not in needed]
    return wave or list(left)  # a cycle cannot happen in a program; never loop on a damaged state
