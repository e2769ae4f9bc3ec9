"""Applies recorded waivers to results, and judges the waivers by what they met."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from datetime import datetime

from controls.waivers import WaiverFile
from report.model import Result, Status, Waiver

SHOWN = 5


class Waiving:
    """The waivers of one run, and per waiver the outcome of every subject that it covers."""

    def __init__(self, waivers: Iterable[WaiverFile], now: datetime) -> None:
        self.waivers = tuple(waivers)
        self._now = now
        self._met: dict[str, dict[str, set[Status]]] = defaultdict(lambda: defaultdict(set))
        self._used: set[str] = set()
        self._late: dict[str, None] = {}

    def apply(self, result: Result) -> Result:
        """The result, waived when it failed and a waiver that still runs covers it."""
        covering = [w for w in self.waivers if w.covers(result.control, result.subject)]
        for waiver in covering:
            self._met[waiver.id][result.subject].add(result.status)
        if not covering or result.status is not Status.FAIL:
            return result
        waiver = min(covering, key=lambda w: w.expired(self._now))
        self._used.add(waiver.id)
        if waiver.expired(self._now):
            self._late[f"{_named(waiver)} expired {waiver.expires.isoformat()}"] = None
            return result
        kept = Waiver(**waiver.model_dump(include=set(Waiver.model_fields)))
        return result.model_copy(update={"status": Status.WAIVED, "waiver": kept})

    def remarks(self) -> Iterator[str]:
        """What ends within 30 or 7 days."""
        yield from filter(None, (waiver.warning(self._now) for waiver in self.waivers))

    def faults(self, judged: Set[str], kinds: Mapping[str, Set[str]]) -> Iterator[str]:
        """Waivers that are over, idle or too broad, one sentence each.

        `judged`: area codes (SSH, BKT …) that this run covers as a whole; a waiver of another area cannot be
        idle for having met nothing. `kinds`: every subject of a kind ("node", "bucket" …), whole kinds only.
        """
        yield from self._late
        for waiver in self.waivers:
            met = self._met.get(waiver.id, {})
            if not met:
                if waiver.control.split("-")[1] in judged:
                    yield f"{_named(waiver)} waives nothing: no such subject was judged; correct or remove it"
            elif waiver.id in self._used:
                yield from self._too_broad(waiver, met, kinds)
            elif not any(Status.ERROR in outcomes for outcomes in met.values()):
                yield f"{_named(waiver)} waives nothing: it did not fail there; remove it"

    def _too_broad(
        self, waiver: WaiverFile, met: Mapping[str, set[Status]], kinds: Mapping[str, Set[str]]
    ) -> Iterator[str]:
        if not waiver.is_pattern:
            return
        idle = sorted(name for name, outcomes in met.items() if not outcomes & {Status.FAIL, Status.ERROR})
        if idle:
            shown = ", ".join(idle[:SHOWN]) + (" …" if len(idle) > SHOWN else "")
            yield (
                f"{_named(waiver)} is too broad: of {len(met)} subjects that it covers "
                f"{len(idle)} did not fail ({shown}); name those that do"
            )
        for kind, names in kinds.items():
            if names and all(waiver.covers(waiver.control, name) for name in names):
                yield (
                    f"{_named(waiver)} is too broad: it covers every {kind.replace('_', ' ')}, which is a "
                    "changed control; name the subjects"
                )


def _named(waiver: WaiverFile) -> str:
    return f"waiver {waiver.id} for {waiver.control} on {waiver.subject}"
