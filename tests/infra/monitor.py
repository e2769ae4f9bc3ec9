"""Runs the program under Pulumi's own SDK with a monitor that keeps everything a registration says."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import json
import runpy
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pulumi
import yaml
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime import mocks
from pulumi.runtime.proto import resource_pb2

from guardrails.model import Planned

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Registered:
    """One registration: what guardrails see (`planned`), and what only Pulumi's engine sees."""

    planned: Planned
    protect: bool
    custom: bool
    dependencies: tuple[str, ...]
    secret_outputs: tuple[str, ...]
    ignore_changes: tuple[str, ...]


@dataclass
class Run:
    """What one run of the program registered, in order, and what it exported."""

    registered: list[Registered] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    invokes: list[str] = field(default_factory=list)

    @property
    def planned(self) -> list[Planned]:
        """The plan as the guardrails take it."""
        return [one.planned for one in self.registered]

    def of(self, type_: str) -> dict[str, Planned]:
        """The resources of one type, by name."""
        return {p["name"]: p for p in self.planned if p["type"] == type_}


class _Cloud(mocks.Mocks):
    """Answers like a provider: the inputs, an id, and the computed outputs the program reads."""

    def __init__(self, region: str, account: str) -> None:
        self._arns = f"arn:aws:mock:{region}:{account}:"

    def call(self, args: mocks.MockCallArgs) -> NoReturn:
        raise AssertionError(f"the program looked something up: {args.token}")

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        if not args.custom:
            return "", dict(args.inputs)
        kind = args.typ.rpartition(":")[2]
        computed = {
            "arn": f"{self._arns}{kind}/{args.name}",
            "defaultNetworkAclId": f"acl-{args.name}",
            "defaultRouteTableId": f"rtb-{args.name}",
            "privateIp": "10.0.0.9",
            "publicIp": "203.0.113.9",
            # What AWS adds when it is asked for IPv6; nobody reads them of a VPC that is not.
            "ipv6CidrBlock": "2001:db8:1200::/56" if args.inputs.get("assignGeneratedIpv6CidrBlock") else "",
            "ipv6Addresses": ["2001:db8:1200::9"] if args.inputs.get("ipv6AddressCount") else [],
            "name": f"{args.name}-auto",
            "firewallStatuses": _endpoints(args.inputs),
        }
        return f"{kind}-{args.name}", {**computed, **args.inputs}


def _endpoints(inputs: dict[str, Any]) -> list[dict[str, Any]]:
    """A network firewall's endpoints, one in each of its subnets."""
    subnets = [mapping["subnetId"] for mapping in inputs.get("subnetMappings") or []]
    attachments = [{"endpointId": f"vpce-{subnet}", "subnetId": subnet} for subnet in subnets]
    return [{"syncStates": [{"attachments": [attachment]} for attachment in attachments]}]


class _Monitor(mocks.MockMonitor):
    """A mock monitor that refuses a URN twice, as the engine does, and writes full type chains into URNs."""

    def __init__(self, run: Run, cloud: _Cloud) -> None:
        super().__init__(cloud)
        self._run = run
        self._urns: set[str] = set()

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        chain = parent.split("::")[2] if parent else ""
        if chain and chain != "pulumi:pulumi:Stack":
            type_ = f"{chain}${type_}"
        return f"urn:pulumi:{pulumi.get_stack()}::{pulumi.get_project()}::{type_}::{name}"

    def Invoke(self, request: Any) -> Any:
        self._run.invokes.append(request.tok)
        return super().Invoke(request)

    def RegisterResource(self, request: Any) -> Any:
        urn = self.make_urn(request.parent, request.type, request.name)
        if urn in self._urns:
            raise AssertionError(f"registered twice: {urn}")
        self._urns.add(urn)
        if request.type != "pulumi:pulumi:Stack":
            self._run.registered.append(_registered(urn, request))
        return super().RegisterResource(request)

    def RegisterResourceOutputs(self, request: Any) -> Any:
        if "::pulumi:pulumi:Stack::" in request.urn:
            self._run.outputs.update(plain(request.outputs))
        return super().RegisterResourceOutputs(request)


def _registered(urn: str, request: resource_pb2.RegisterResourceRequest) -> Registered:
    planned = Planned(
        type=request.type,
        name=request.name,
        urn=urn,
        inputs=plain(request.object),
        provider=request.provider,
        parent=request.parent,
        depends={key: list(found.urns) for key, found in request.propertyDependencies.items()},
        protect=bool(request.protect),
    )
    return Registered(
        planned,
        bool(request.protect),
        bool(request.custom),
        tuple(sorted(request.dependencies)),
        tuple(request.additionalSecretOutputs),
        tuple(request.ignoreChanges),
    )


def plain(struct: struct_pb2.Struct) -> dict[str, Any]:
    """What travelled on the wire, as data: nulls kept, whole numbers as such, secrets still in their
    wrapping.
    """
    data = json_format.MessageToDict(struct)
    return {key: _whole(value) for key, value in data.items()}


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def stack_file(stack: str) -> dict[str, Any]:
    """The configuration of a stack file as data, for tests that change a copy of it."""
    data = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())
    return dict(data["config"])


@functools.cache
def run_of(stack: str) -> Run:
    """The run of a stack as its file stands; made once, so never change what it holds."""
    return run_program(stack)


def run_program(stack: str, config: Mapping[str, Any] | None = None, program: Path | None = None) -> Run:
    """Run `__main__.py` (or another program) for a stack under the monitor, with its own or with changed
    config.
    """
    run = Run()
    wanted = stack_file(stack) if config is None else config
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in wanted.items()}

    def body() -> None:
        runpy.run_path(str(program or ROOT / "__main__.py"), run_name="__main__")

    loops: list[asyncio.AbstractEventLoop] = []

    def with_loop() -> None:
        # The SDK's mock monitor wants a loop in each of its worker threads, and would leave its own one open.
        loops.append(asyncio.new_event_loop())
        asyncio.set_event_loop(loops[-1])

    async def in_stack() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(initializer=with_loop))
        monitor = _Monitor(run, _Cloud(str(wanted["stockade:region"]), str(wanted["stockade:account"])))
        features = set(monitor.GetDeploymentInfo(empty_pb2.Empty()).supportedFeatures)
        pulumi.runtime.configure(
            mocks.MockSettings(
                monitor=monitor,
                monitor_features=features,
                engine=mocks.MockEngine(None),
                project="stockade",
                stack=stack,
                dry_run=False,
                organization=None,
                callbacks=None,
            )
        )
        pulumi.runtime.set_all_config(texts, [])
        await pulumi.runtime.run_in_stack(body)

    # Pulumi keeps its state in context variables: a context of its own lets one process run many programs.
    try:
        contextvars.Context().run(asyncio.run, in_stack())
    finally:
        for loop in loops:
            loop.close()
    return run
