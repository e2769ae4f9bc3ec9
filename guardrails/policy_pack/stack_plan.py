"""From what Pulumi shows a policy pack to planned resources, the shape that guardrails judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from guardrails.model import UNKNOWN, Planned

# How a value that is not known yet is written, by its type (pulumi_policy/proxy.py).
_PLACEHOLDERS = frozenset(
    (
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    )
)
# Pulumi's mark of a value in a wrapping, and of the wrapping that means secret (pulumi.runtime.rpc).
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_WRAPPED = "1b47061264138c4ac30d75fd1eb44270"
SECRET = "[secret]"  # noqa: S105 - stands where a secret is


class Shown(Protocol):
    """A resource as pulumi_policy shows it (`PolicyResource`)."""

    @property
    def resource_type(self) -> str: ...
    @property
    def props(self) -> Mapping[str, Any]: ...
    @property
    def urn(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def opts(self) -> Any: ...
    @property
    def provider(self) -> Any: ...
    @property
    def parent(self) -> Any: ...
    @property
    def property_dependencies(self) -> Mapping[str, Sequence[Any]]: ...


def inputs_of(props: Any) -> dict[str, Any]:
    """Plain inputs: a value unknown yet is marked so, a secret is replaced by a word."""
    plain: dict[str, Any] = _plain(props)
    return plain


def planned_of(resources: Sequence[Shown], seen: Mapping[str, dict[str, Any]]) -> list[Planned]:
    """The stack as a plan: inputs as they were seen before creation, relations as they are shown at the end.

    Providers are added from the resources that name them, in case Pulumi does not list them by themselves.
    """
    plan = {resource.urn: _planned(resource, seen) for resource in resources}
    for resource in resources:
        made_by = resource.provider
        if made_by is not None and made_by.urn not in plan:
            inputs = inputs_of(made_by.props)
            plan[made_by.urn] = Planned(
                type=made_by.resource_type,
                name=made_by.name,
                urn=made_by.urn,
                inputs=inputs,
                provider="",
                parent="",
            )
    return list(plan.values())


def _planned(resource: Shown, seen: Mapping[str, dict[str, Any]]) -> Planned:
    return Planned(
        type=resource.resource_type,
        name=resource.name,
        urn=resource.urn,
        inputs=seen[resource.urn] if resource.urn in seen else inputs_of(resource.props),
        # A reference is "<urn>::<id>"; which id is of no interest here.
        provider=f"{resource.provider.urn}::shown" if resource.provider else "",
        parent=resource.parent.urn if resource.parent else "",
        depends={key: [one.urn for one in found] for key, found in resource.property_dependencies.items()},
        protect=bool(getattr(resource.opts, "protect", False)),
    )


def hidden(value: Any) -> Any:
    """Wire data with each secret replaced by a word: pulumi_policy would show it to the policies in clear."""
    if isinstance(value, Mapping):
        if value.get(_SIGNATURE) == _WRAPPED:
            return SECRET
        return {key: hidden(item) for key, item in value.items()}
    return [hidden(item) for item in value] if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    # pulumi_policy's proxies raise on unknown values; what they stand for lies under this key.
    if type(value).__name__ in ("_DictProxy", "_ListProxy"):
        value = value["__target"]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str) and value in _PLACEHOLDERS:
        return UNKNOWN[1]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
