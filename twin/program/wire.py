"""Values between the SDK's protobuf structs and plain Python, with secrets and unknowns kept apart.

Plain values become dict, list, str, bool, int, float. A secret becomes `Secret(value)`, a value that a
preview cannot know becomes `UNKNOWN`. An output value is unwrapped (known, secret or not); a resource
reference becomes the resource's id, which is what a provider gets to see. An asset of text becomes its text,
an archive of such assets a mapping of names to texts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf import struct_pb2
from pulumi.runtime import rpc

import fault

COMPUTED = "(known after creation)"
HIDDEN = "(secret)"
_SIGNATURE = rpc._special_sig_key


class Unknown:
    """The one value a preview cannot know yet."""

    def __repr__(self) -> str:
        return COMPUTED


UNKNOWN = Unknown()


@dataclass(frozen=True)
class Secret:
    """A value that must not appear in state, logs or messages."""

    value: Any

    def __repr__(self) -> str:
        return HIDDEN


class Files(dict[str, str]):
    """An archive of texts: name in the archive → text."""


def from_struct(struct: struct_pb2.Struct) -> dict[str, Any]:
    """Properties as they came over the wire; null (an input that was not given) is left out at any depth."""
    found: dict[str, Any] = _without_null(from_outputs(struct))
    return found


def from_outputs(struct: struct_pb2.Struct) -> dict[str, Any]:
    """The same with null values kept: in a stack's outputs `null` is a statement."""
    return {key: _from_value(value) for key, value in struct.fields.items()}


def _without_null(value: Any) -> Any:
    if isinstance(value, Secret):
        return Secret(_without_null(value.value))
    if isinstance(value, Mapping):
        kept = {key: _without_null(item) for key, item in value.items() if item is not None}
        return Files(kept) if isinstance(value, Files) else kept
    if isinstance(value, list):
        return [_without_null(item) for item in value]
    return value


def _from_value(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return _from_special(value.struct_value)
    if kind == "list_value":
        return [_from_value(item) for item in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "string_value":
        return UNKNOWN if value.string_value == rpc.UNKNOWN else value.string_value
    return value.bool_value if kind == "bool_value" else None


def _from_special(struct: struct_pb2.Struct) -> Any:
    fields = struct.fields
    signature = fields[_SIGNATURE].string_value if _SIGNATURE in fields else None
    if signature is None:
        return from_outputs(struct)
    if signature == rpc._special_secret_sig:
        return Secret(_from_value(fields["value"]))
    if signature == rpc._special_output_value_sig:
        value = _from_value(fields["value"]) if "value" in fields else UNKNOWN
        return Secret(value) if "secret" in fields and fields["secret"].bool_value else value
    if signature == rpc._special_resource_sig:
        identity = fields["id"].string_value if "id" in fields else fields["urn"].string_value
        return identity or UNKNOWN
    if signature == rpc._special_asset_sig and "text" in fields:
        return fields["text"].string_value
    if signature == rpc._special_archive_sig and "assets" in fields:
        return Files(from_outputs(fields["assets"].struct_value))
    raise ValueError("assets of files and archives of folders or addresses are not supported by the twin")


def to_struct(values: Mapping[str, Any]) -> struct_pb2.Struct:
    """The way back: secrets are wrapped again, unknowns carry the engine's sentinel."""
    struct = struct_pb2.Struct()
    for key, value in values.items():
        struct.fields[key].CopyFrom(_to_value(value))
    return struct


def _to_value(value: Any) -> struct_pb2.Value:  # noqa: PLR0911 - one per kind
    if isinstance(value, Secret):
        wrapped = {_SIGNATURE: rpc._special_secret_sig, "value": value.value}
        return struct_pb2.Value(struct_value=to_struct(wrapped))
    if isinstance(value, Unknown):
        return struct_pb2.Value(string_value=rpc.UNKNOWN)
    if isinstance(value, Files):
        texts = {name: {_SIGNATURE: rpc._special_asset_sig, "text": text} for name, text in value.items()}
        wrapped = {_SIGNATURE: rpc._special_archive_sig, "assets": texts}
        return struct_pb2.Value(struct_value=to_struct(wrapped))
    if isinstance(value, Mapping):
        return struct_pb2.Value(struct_value=to_struct(value))
    if isinstance(value, list | tuple):
        return struct_pb2.Value(list_value=struct_pb2.ListValue(values=[_to_value(item) for item in value]))
    if isinstance(value, bool):
        return struct_pb2.Value(bool_value=value)
    if isinstance(value, int | float):
        return struct_pb2.Value(number_value=value)
    if value is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    return struct_pb2.Value(string_value=str(value))


def _map(value: Any, secret: Callable[[Any], Any], unknown: Any) -> Any:
    if isinstance(value, Secret):
        return secret(value.value)
    if isinstance(value, Unknown):
        return unknown
    if isinstance(value, Files):
        return value  # one value, whose texts the program wrote itself
    if isinstance(value, Mapping):
        return {key: _map(item, secret, unknown) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_map(item, secret, unknown) for item in value]
    return value


def reveal(value: Any) -> Any:
    """The value with secrets unwrapped, for the call that needs them. Unknowns stay."""
    return _map(value, reveal, UNKNOWN)


def describe(value: Any) -> Any:
    """Plain JSON data for guardrails and logs: secrets hidden, unknowns named."""
    return _map(value, lambda _: HIDDEN, COMPUTED)


def seal(value: Any, salt: str) -> Any:
    """Plain JSON data for the state: a secret becomes a digest that shows a change and nothing else."""
    return _map(value, lambda hidden: {"secret": _digest(hidden, salt)}, COMPUTED)


def _digest(value: Any, salt: str) -> str:
    # scrypt, because a pre-shared key may be short and a plain hash of it could be guessed from the file
    text = json.dumps(value, sort_keys=True, default=str).encode()
    return hashlib.scrypt(text, salt=salt.encode(), n=2**13, r=8, p=1, dklen=24).hex()


def scrub(failure: fault.Fault, inputs: Any) -> fault.Fault:
    """The fault with every secret text of the inputs hidden, whoever quoted it."""
    hidden: list[str] = []
    _map(inputs, lambda value: hidden.extend(_texts(value)), None)
    for text in sorted(hidden, key=len, reverse=True):
        for name in ("problem", "rule", "fix"):
            setattr(failure, name, getattr(failure, name).replace(text, HIDDEN))
    return failure


def _texts(value: Any) -> list[str]:
    plain = reveal(value)
    if isinstance(plain, Mapping):
        return [text for item in plain.values() for text in _texts(item)]
    if isinstance(plain, list):
        return [text for item in plain for text in _texts(item)]
    return [plain] if isinstance(plain, str) and plain else []


def has_unknown(value: Any) -> bool:
    """Whether any part of the value is unknown."""
    if isinstance(value, Secret):
        return has_unknown(value.value)
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(has_unknown(item) for item in value)
    return isinstance(value, Unknown)


def is_secret(value: Any) -> bool:
    """Whether any part of the value is secret."""
    if isinstance(value, Mapping):
        return any(is_secret(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(is_secret(item) for item in value)
    return isinstance(value, Secret)
