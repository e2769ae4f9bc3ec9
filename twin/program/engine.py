"""Decides, for each registered resource, what has to happen, and does it.

One instance per run. Called by many threads at once, one per registration; a resource's own record is
touched by its own thread only.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable
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
    changed: tuple[str, ...] = ()  # inputs that differ, of an update or replacement


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
    depends: dict[str, list[str]] = field(default_factory=dict)
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


@dataclass
class Case:
    """One resource under decision: what is wanted, what was, what is, and what to do about it."""

    urn: str
    request: Registration
    spec: Spec
    effective: Plain  # inputs with the provider's part added
    old: Record | None
    call: Call | None = None
    decision: str = "create"
    live: Plain | None = None
    changed: set[str] = field(default_factory=set)
    identity: str = ""  # empty when a preview cannot know it

    @property
    def keeps(self) -> bool:
        """Whether the resource stays the same object."""
        return self.decision in {"same", "update"}

    def secret_names(self) -> set[str]:
        """Outputs that are secret: by type, by the program's wish, or because the input was."""
        from_inputs = {name for name, value in self.request.inputs.items() if wire.is_secret(value)}
        return from_inputs | set(self.request.secret_outputs) | self.spec.secret_outputs

    def guarded(self, outputs: Plain) -> Plain:
        """Outputs for the program: secrets wrapped, the SDK's internal names left out."""
        names = self.secret_names()
        plain = {k: v for k, v in wire.reveal(outputs).items() if not k.startswith("__")}
        return {k: (wire.Secret(v) if k in names else v) for k, v in plain.items()}

    def sealed(self, outputs: Plain, salt: str) -> Plain:
        """Outputs for the state: of a secret, a marker only."""
        names = self.secret_names()
        sealed: Plain = wire.seal(outputs, salt)
        return {k: (wire.HIDDEN if k in names else v) for k, v in sealed.items()}

    def foreseen(self) -> Plain:
        """What a preview may say: a new resource's computed outputs stay unknown."""
        if self.keeps and self.old is not None:
            self.identity = self.old.id
            return {**(self.live or {}), **self.effective}
        return self.effective


class Engine:
    """The state machine of one run. `clients` is None for a preview without an account."""

    def __init__(  # noqa: PLR0913 - keywords
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

    def note(self, urn: str, step: str, kind: str, changed: Iterable[str] = ()) -> None:
        """Record a step and tell the watcher."""
        with self._lock:
            self.steps.append(Step(urn, step, kind, tuple(sorted(changed))))
        if self._on_step is not None:
            self._on_step(urn, step, kind)

    def provider_of(self, reference: str, what: str) -> provider.Provider:
        """The explicit provider behind a reference (`urn::id`); a missing or default one is refused."""
        urn = reference.rpartition("::")[0]
        found = self.providers.get(urn)
        if found is None:
            raise fault.Fault(
                f"{what}: no explicit provider",
                "the default provider is disabled, so that nothing leaves the pinned region and account",
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
            "depends": request.depends,
        }
        with self._lock:
            self.planned.append(entry)

    def plan_lookup(self, token: str, reference: str, args: Plain) -> None:
        """A look-up is part of the plan: guardrails judge what is asked, and of whom."""
        entry = {
            "type": f"lookup:{token}",
            "name": token,
            "urn": f"lookup:{token}",
            "parent": "",
            "depends": {},
        }
        with self._lock:
            self.planned.append(entry | {"inputs": args, "provider": reference})

    # ------------------------------------------------------------------ custom resources
    def _custom(self, urn: str, request: Registration) -> Registered:
        spec = self._handler(urn, request)
        chosen = self.provider_of(request.provider, urn)
        old = self.state.records.get(urn)
        effective = self._effective(spec, request, chosen, old)
        self._plan(urn, request, effective)
        case = Case(urn, request, spec, effective, old)
        if self.clients is not None:
            case.call = self._call(case, self.clients, chosen)
        try:
            self._decide(case)
            outputs = case.foreseen() if self.preview else self._carry_out(case)
        except Exception as error:
            failure = self.operations.as_fault(error, urn, case.decision)
            raise wire.scrub(failure, request.inputs) from None
        self.note(urn, case.decision, request.type, case.changed)
        return Registered(urn, case.identity, case.guarded(outputs))

    @staticmethod
    def _handler(urn: str, request: Registration) -> Spec:
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
        return spec

    @staticmethod
    def _effective(spec: Spec, request: Registration, chosen: provider.Provider, old: Record | None) -> Plain:
        """Inputs with the provider's part added: defaults, automatic name, tags; ignored changes undone."""
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

    @staticmethod
    def _call(case: Case, clients: Clients, chosen: provider.Provider) -> Call:
        plain = wire.reveal(case.effective)
        region = str(plain.get("region") or chosen.region)
        tags = plain.get("tagsAll") or {}
        return Call(clients, region, case.urn, case.request.name, plain, tags, type=case.spec.type)

    def _decide(self, case: Case) -> None:
        """same, create, update or replace; with what AWS says now and which inputs differ."""
        old, spec = case.old, case.spec
        if old is None or old.pending or case.call is None:
            return
        case.live = spec.look(self.operations.with_inputs(case.call, old), old.id)
        if case.live is None:
            return
        sealed = wire.seal(case.effective, self.state.salt)
        changed = {k for k in sealed.keys() | old.inputs.keys() if sealed.get(k) != old.inputs.get(k)}
        if not changed and not wire.has_unknown(case.effective):
            changed = differences(wire.reveal(case.effective), case.live, spec.write_only)
        case.changed = changed - set(case.request.ignore_changes)
        if not case.changed and not old.unsettled:
            case.decision = "same"
        elif spec.can_change(case.changed) and not case.changed & set(case.request.replace_on_changes):
            case.decision = "update"
        else:
            case.decision = "replace"

    def _carry_out(self, case: Case) -> Plain:
        assert case.call is not None
        old = case.old
        record = self._record(case.urn, case.request, inputs=wire.seal(case.effective, self.state.salt))
        if case.keeps and old is not None and case.live is not None:
            record.id, found = old.id, case.live
            if case.decision == "update":
                found = self.operations.update(case, record)
            record.outputs = case.sealed(found, self.state.salt)
            if record != old:
                self.state.put(record)
        else:
            found = self.operations.create(case, record)
        case.identity = record.id
        return found | case.effective
