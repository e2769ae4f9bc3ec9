"""Decides, for each registered resource, what has to happen, and does it.

One instance per run. Called by many threads at once, one per registration; a resource's own record is
touched by its own thread only.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import fault
from twin.program import handlers, provider, wire
from twin.program.aws import Clients
from twin.program.handlers.spec import Call, Spec
from twin.program.operations import Operations
from twin.program.readback import differences
from twin.program.state import Record, State

STACK_TYPE = "pulumi:pulumi:Stack"
Plain = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """One thing that happened (or, in a preview, would happen) to one resource."""

    urn: str
    step: str  # same | create | update | replace | delete
    type: str


@dataclass
class Registration:
    """A request to register, in plain values."""

    type: str
    name: str
    parent: str
    custom: bool
    inputs: Plain
    provider: str = ""
    dependencies: list[str] = field(default_factory=list)
    protect: bool = False
    retain: bool = False
    ignore_changes: list[str] = field(default_factory=list)
    replace_on_changes: list[str] = field(default_factory=list)
    secret_outputs: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    import_id: str = ""
    delete_first: bool = False


@dataclass(frozen=True)
class Registered:
    """The answer: URN, id (empty when a preview cannot know it) and outputs with secrets wrapped."""

    urn: str
    id: str
    outputs: Plain


class Engine:
    """The state machine of one run. `clients` is None for a preview without an account."""

    def __init__(
        self,
        project: str,
        stack: str,
        state: State,
        clients: Clients | None,
        *,
        preview: bool,
        on_step: Callable[[str, str, str], None] | None = None,
    ) -> None:
        self.project, self.stack, self.state, self.clients, self.preview = (
            project,
            stack,
            state,
            clients,
            preview,
        )
        self.seen: dict[str, Registration] = {}
        self.steps: list[Step] = []
        self.planned: list[Plain] = []
        self.providers: dict[str, provider.Provider] = {}
        self._on_step = on_step
        self._lock = threading.Lock()
        self.operations = Operations(state)

    # ------------------------------------------------------------------ entry
    def register(self, request: Registration) -> Registered:
        """Register one resource: refuse, keep, create, update or replace it."""
        urn = self._urn(request)
        with self._lock:
            if urn in self.seen:
                raise fault.Fault(
                    f"{urn}: registered twice",
                    "type and name are unique under one parent",
                    "rename one of the two resources",
                )
            self.seen[urn] = request
        self._adopt_alias(urn, request)
        if request.type.startswith("pulumi:providers:"):
            return self._provider(urn, request)
        if not request.custom:
            return self._component(urn, request)
        return self._custom(urn, request)

    def note(self, urn: str, step: str, kind: str) -> None:
        """Record a step and tell the watcher."""
        with self._lock:
            self.steps.append(Step(urn, step, kind))
        if self._on_step is not None:
            self._on_step(urn, step, kind)

    def provider_of(self, reference: str, what: str) -> provider.Provider:
        """The explicit provider behind a reference (`urn::id`); a missing or default one is refused."""
        urn = reference.rpartition("::")[0]
        found = self.providers.get(urn)
        if found is None:
            raise fault.Fault(
                f"{what}: no explicit provider",
                "the default provider is disabled, so that nothing is made outside the pinned region and account",
                "pass ResourceOptions(provider=...) or parent= a component that has it",
            )
        return found

    # ------------------------------------------------------------------ kinds of resource
    def _urn(self, request: Registration) -> str:
        chain = request.type
        if request.parent:
            parent_chain = request.parent.split("::")[2]
            if parent_chain != STACK_TYPE:
                chain = f"{parent_chain}${request.type}"
        return f"urn:pulumi:{self.stack}::{self.project}::{chain}::{request.name}"

    def _adopt_alias(self, urn: str, request: Registration) -> None:
        if urn in self.state.records:
            return
        for alias in request.aliases:
            old = self.state.records.get(alias)
            if old is not None and not self.preview:
                self.state.remove(alias)
                old.urn = urn
                self.state.put(old)
                return

    def _record(self, urn: str, request: Registration, **more: Any) -> Record:
        return Record(
            urn=urn,
            type=request.type,
            name=request.name,
            custom=request.custom,
            dependencies=sorted(set(request.dependencies)),
            parent=request.parent,
            provider=request.provider,
            protect=request.protect,
            retain=request.retain,
            **more,
        )

    def _component(self, urn: str, request: Registration) -> Registered:
        old = self.state.records.get(urn)
        if not self.preview:
            self.state.put(self._record(urn, request))
        self.note(urn, "same" if old else "create", request.type)
        return Registered(urn, "", {})

    def _provider(self, urn: str, request: Registration) -> Registered:
        if request.type != provider.TYPE:
            raise fault.Fault(
                f"{urn}: provider {request.type}", f"the twin hosts {provider.TYPE}", "remove this provider"
            )
        inputs = wire.reveal(request.inputs)
        if wire.has_unknown(inputs):
            raise fault.Fault(
                f"{urn}: settings unknown before creation", "a provider is pinned", "use plain values"
            )
        self.providers[urn] = provider.read(urn, inputs, self.clients)
        old = self.state.records.get(urn)
        identity = old.id if old else secrets.token_hex(16)
        sealed = wire.seal(request.inputs, self.state.salt)
        if not self.preview:
            self.state.put(self._record(urn, request, id=identity, inputs=sealed))
        self._plan(urn, request)
        step = "create" if old is None else "same" if old.inputs == sealed else "update"
        self.note(urn, step, request.type)
        return Registered(urn, identity, request.inputs)

    def _plan(self, urn: str, request: Registration, effective: Plain | None = None) -> None:
        inputs = wire.describe(request.inputs if effective is None else effective)
        entry = {
            "urn": urn,
            "type": request.type,
            "name": request.name,
            "inputs": inputs,
            "provider": request.provider,
            "parent": request.parent,
            "protect": request.protect,
        }
        with self._lock:
            self.planned.append(entry)

    # ------------------------------------------------------------------ custom resources
    def _custom(self, urn: str, request: Registration) -> Registered:
        spec = handlers.find(request.type)
        if spec is None:
            raise fault.Fault(
                f"{urn}: type {request.type} has no handler in the twin",
                "a type without a handler would silently prove nothing",
                "add it under twin/program/handlers/",
            )
        if request.import_id:
            raise fault.Fault(
                f"{urn}: import", "the twin makes resources, it does not import", "drop import_"
            )
        chosen = self.provider_of(request.provider, urn)
        old = self.state.records.get(urn)
        effective = self._effective(spec, request, chosen, old)
        self._plan(urn, request, effective)
        call = self._call(urn, request, spec, effective, chosen) if self.clients else None
        decision, live, changed = self._decide(spec, request, old, effective, call)
        if self.preview:
            return self._foresee(urn, request, decision, live, effective, old)
        if call is None:  # pragma: no cover - run() never gets here
            raise RuntimeError("no account")
        record = self._record(urn, request, inputs=wire.seal(effective, self.state.salt))
        try:
            identity, outputs = self._carry_out(spec, call, record, old, decision, live, changed)
        except Exception as error:
            failure = self.operations.as_fault(error, urn, decision)
            raise wire.scrub(failure, request.inputs) from None
        self.note(urn, decision, request.type)
        return Registered(urn, identity, self._guarded(spec, request, outputs | effective))

    def _effective(
        self, spec: Spec, request: Registration, chosen: provider.Provider, old: Record | None
    ) -> Plain:
        """Inputs with the provider's part added: defaults, automatic name, default tags; ignored changes undone."""
        effective = {**spec.defaults, **{k: v for k, v in request.inputs.items() if not k.startswith("__")}}
        for name in request.ignore_changes:
            if old is not None and name in old.inputs:
                effective[name] = old.inputs[name]
        if spec.name_input and not effective.get(spec.name_input):
            kept = old.inputs.get(spec.name_input) if old else None
            effective[spec.name_input] = kept or spec.automatic_name(request.name)
        if spec.taggable:
            effective["tagsAll"] = {**chosen.default_tags, **(effective.get("tags") or {})}
        effective.setdefault("region", chosen.region)
        return effective

    def _call(
        self, urn: str, request: Registration, spec: Spec, effective: Plain, chosen: provider.Provider
    ) -> Call:
        assert self.clients is not None
        plain = wire.reveal(effective)
        tags = plain.get("tagsAll") or {}
        return Call(
            self.clients,
            str(plain.get("region") or chosen.region),
            urn,
            request.name,
            plain,
            tags,
            type=spec.type,
        )

    def _decide(
        self, spec: Spec, request: Registration, old: Record | None, effective: Plain, call: Call | None
    ) -> tuple[str, Plain | None, set[str]]:
        """same, create, update or replace; with what AWS says now and which inputs differ."""
        if old is None or old.pending or call is None:
            return "create", None, set()
        live = spec.look(self.operations.with_inputs(call, old), old.id)
        if live is None:
            return "create", None, set()
        sealed = wire.seal(effective, self.state.salt)
        changed = {k for k in sealed.keys() | old.inputs.keys() if sealed.get(k) != old.inputs.get(k)}
        if not changed and not wire.has_unknown(effective):
            changed = differences(wire.reveal(effective), live, spec.write_only)
        changed -= set(request.ignore_changes)
        if not changed and not old.unsettled:
            return "same", live, changed
        forced = changed & set(request.replace_on_changes)
        return ("update" if spec.can_change(changed) and not forced else "replace"), live, changed

    def _carry_out(
        self,
        spec: Spec,
        call: Call,
        record: Record,
        old: Record | None,
        decision: str,
        live: Plain | None,
        changed: set[str],
    ) -> tuple[str, Plain]:
        if decision in {"same", "update"} and old is not None:
            record.id = old.id
            if decision == "update":
                live = self.operations.update(spec, call, record, old, changed)
            record.outputs = wire.seal(live, self.state.salt)
            self._hide(spec, record)
            if record != old:
                self.state.put(record)
            return record.id, live or {}
        first = self.seen[record.urn].delete_first
        outputs = self.operations.create(
            spec, call, record, old, replacing=decision == "replace", delete_first=first, hide=self._hide
        )
        return record.id, outputs

    def _hide(self, spec: Spec, record: Record) -> None:
        """Outputs that are secret (by type, by the program, or because the input was) leave a marker only."""
        names = self._secret_names(spec, self.seen[record.urn])
        record.outputs = {k: (wire.HIDDEN if k in names else v) for k, v in record.outputs.items()}

    @staticmethod
    def _secret_names(spec: Spec, request: Registration) -> set[str]:
        from_inputs = {name for name, value in request.inputs.items() if wire.is_secret(value)}
        return from_inputs | set(request.secret_outputs) | spec.secret_outputs

    def _guarded(self, spec: Spec, request: Registration, outputs: Plain) -> Plain:
        names = self._secret_names(spec, request)
        plain = {k: v for k, v in wire.reveal(outputs).items() if not k.startswith("__")}
        return {k: (wire.Secret(v) if k in names else v) for k, v in plain.items()}

    def _foresee(
        self,
        urn: str,
        request: Registration,
        decision: str,
        live: Plain | None,
        effective: Plain,
        old: Record | None,
    ) -> Registered:
        """What a preview may say: a new resource's computed outputs stay unknown."""
        self.note(urn, decision, request.type)
        spec = handlers.find(request.type)
        assert spec is not None
        keeps = decision in {"same", "update"} and old is not None
        outputs = effective if not keeps else {**(live or {}), **effective}
        return Registered(urn, old.id if keeps and old else "", self._guarded(spec, request, outputs))
