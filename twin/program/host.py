"""The engine's side of Pulumi's gRPC protocol: a resource monitor and an engine service over `Engine`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NoReturn

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, resource_pb2, resource_pb2_grpc

import fault
from twin.program import handlers, invokes, wire
from twin.program.engine import STACK_TYPE, Engine, Registration
from twin.program.handlers.spec import Call

MESSAGE_LIMIT = 400 * 1024 * 1024  # bytes; what the SDK itself allows


@dataclass
class Gathered:
    """What a run leaves behind in the host."""

    outputs: dict[str, Any] = field(default_factory=dict)
    failures: list[fault.Fault] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)


class Monitor(resource_pb2_grpc.ResourceMonitorServicer):
    """Registrations, look-ups and outputs. Everything not implemented here answers UNIMPLEMENTED."""

    def __init__(self, engine: Engine, gathered: Gathered, parallel: int) -> None:
        self.engine, self.gathered, self.parallel = engine, gathered, parallel

    def GetDeploymentInfo(self, _request: Any, _context: Any) -> Any:
        """Secrets alone: the SDK then sends plain values, expands aliases itself and refuses the rest."""
        return resource_pb2.DeploymentInfo(
            project=self.engine.project,
            stack=self.engine.stack,
            organization="organization",
            dryRun=self.engine.preview,
            parallel=self.parallel,
            supportedFeatures=[resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS],
        )

    def SupportsFeature(self, request: Any, _context: Any) -> Any:
        """The older form of the same question."""
        return resource_pb2.SupportsFeatureResponse(hasSupport=request.id == "secrets")

    def RegisterResource(self, request: Any, context: Any) -> Any:
        """Register, and answer with URN, id and outputs; a failure ends the program."""

        def work() -> Any:
            made = self.engine.register(_registration(request))
            answer = wire.to_struct(made.outputs)
            return resource_pb2.RegisterResourceResponse(urn=made.urn, id=made.id, object=answer)

        return self._guard(work, context)

    def RegisterResourceOutputs(self, request: Any, _context: Any) -> Any:
        """The stack's outputs are kept; a component's outputs have no effect outside the program."""
        if f"::{STACK_TYPE}::" in request.urn:
            self.gathered.outputs = wire.from_outputs(request.outputs)
        return empty_pb2.Empty()

    def ReadResource(self, request: Any, context: Any) -> Any:
        """`Resource.get(id)`: what AWS says about a resource that the program does not own."""

        def work() -> Any:
            outputs = self._read(request)
            urn = f"urn:pulumi:{self.engine.stack}::{self.engine.project}::{request.type}::{request.name}"
            return resource_pb2.ReadResourceResponse(
                urn=urn, id=request.id, properties=wire.to_struct(outputs)
            )

        return self._guard(work, context)

    def _read(self, request: Any) -> dict[str, Any]:
        spec = handlers.find(request.type)
        chosen = self.engine.provider_of(request.provider, f"read {request.type} {request.id}")
        if spec is None or self.engine.clients is None:
            raise fault.Fault(
                f"read {request.type}: no handler", "a type is known or refused", "add a handler"
            )
        inputs = wire.reveal(wire.from_struct(request.properties))
        call = Call(self.engine.clients, chosen.region, "", request.name, inputs, {}, type=request.type)
        outputs = spec.look(call, request.id)
        if outputs is None:
            raise fault.Fault(f"read {request.type} {request.id}: not found", "it must exist", "check the id")
        return outputs | {"region": chosen.region}

    def Invoke(self, request: Any, context: Any) -> Any:
        """A look-up from the small table."""

        def work() -> Any:
            chosen = self.engine.provider_of(request.provider, f"invoke {request.tok}")
            args = wire.reveal(wire.from_struct(request.args))
            self.engine.plan_lookup(request.tok, request.provider, args)
            found = invokes.answer(request.tok, self.engine.clients, chosen.region, args)
            members: dict[str, Any] = {"return": wire.to_struct(found)}  # the name is a keyword of Python
            return provider_pb2.InvokeResponse(**members)

        return self._guard(work, context)

    def SignalAndWaitForShutdown(self, _request: Any, _context: Any) -> Any:
        """Nothing to wait for: deletions happen after the program has ended."""
        return empty_pb2.Empty()

    def _guard(self, work: Callable[[], Any], context: Any) -> Any:
        try:
            return work()
        except fault.Fault as failure:
            self._abort(failure, context)
        except Exception as error:
            self._abort(
                fault.Fault(
                    f"{type(error).__name__}: {error}", "the twin could not cope", "see the traceback"
                ),
                context,
            )

    def _abort(self, failure: fault.Fault, context: Any) -> NoReturn:
        self.gathered.failures.append(failure)
        context.abort(grpc.StatusCode.UNKNOWN, str(failure))
        raise failure  # abort raises; this tells the reader


class EngineService(engine_pb2_grpc.EngineServicer):
    """Log messages and the root resource."""

    def __init__(self, gathered: Gathered) -> None:
        self.gathered = gathered
        self._root = ""

    def Log(self, request: Any, _context: Any) -> Any:
        """Keep what the program says above debug level."""
        if request.severity != engine_pb2.DEBUG:
            severity = engine_pb2.LogSeverity.Name(request.severity).lower()
            self.gathered.messages.append(f"{severity}: {request.message}")
        return empty_pb2.Empty()

    def GetRootResource(self, _request: Any, _context: Any) -> Any:
        """The stack's URN."""
        return engine_pb2.GetRootResourceResponse(urn=self._root)

    def SetRootResource(self, request: Any, _context: Any) -> Any:
        """Remember the stack's URN."""
        self._root = request.urn
        return engine_pb2.SetRootResourceResponse()

    def RequirePulumiVersion(self, _request: Any, _context: Any) -> Any:
        """The SDK that is installed is the one the twin is locked to."""
        return engine_pb2.RequirePulumiVersionResponse()


class Host:
    """The server, on a free loopback port, for the time of one program run."""

    def __init__(self, engine: Engine, parallel: int = 32) -> None:
        self.gathered = Gathered()
        self._idle = threading.Condition()
        self._pool = ThreadPoolExecutor(max_workers=parallel * 2)
        options = [
            ("grpc.max_receive_message_length", MESSAGE_LIMIT),
            ("grpc.max_send_message_length", MESSAGE_LIMIT),
            ("grpc.so_reuseport", 0),
        ]
        self._server = grpc.server(self._pool, options=options)
        monitor = Monitor(engine, self.gathered, parallel)
        resource_pb2_grpc.add_ResourceMonitorServicer_to_server(monitor, self._server)
        engine_pb2_grpc.add_EngineServicer_to_server(EngineService(self.gathered), self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    def __enter__(self) -> Host:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening, then wait for registrations under way: what they make must reach the state."""
        self._server.stop(grace=None).wait()
        self._pool.shutdown(wait=True)


def _registration(request: Any) -> Registration:
    if request.remote:
        raise fault.Fault(f"{request.type} {request.name}: remote component", "local ones only", "use Python")
    if request.hooks.ListFields() or request.HasField("replacement_trigger"):
        raise fault.Fault(f"{request.type} {request.name}: hooks or triggers", "not in the twin", "drop them")
    inputs = wire.from_struct(request.object if request.HasField("object") else struct_pb2.Struct())
    return Registration(
        type=request.type,
        name=request.name,
        parent=request.parent,
        custom=request.custom,
        inputs=inputs,
        provider=request.provider,
        dependencies=list(request.dependencies),
        depends={key: list(found.urns) for key, found in request.propertyDependencies.items()},
        protect=request.protect,
        retain=request.retainOnDelete,
        ignore_changes=list(request.ignoreChanges),
        replace_on_changes=list(request.replaceOnChanges),
        secret_outputs=list(request.additionalSecretOutputs),
        aliases=list(request.aliasURNs),
        import_id=request.importId,
        delete_first=request.deleteBeforeReplace,
    )
