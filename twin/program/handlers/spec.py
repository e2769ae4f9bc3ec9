"""How a resource type is made, read, changed and removed through boto3.

`Spec` describes the usual case as data: which operation creates, which one reads, where the id is. Input
names are translated by botocore's own model of the operation (`cidrBlock` → `CidrBlock`), and so is the
answer on its way back. Types that need more have functions in `after` (settings that have an operation of
their own) or a subclass.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import jmespath
from botocore.exceptions import ClientError

from twin.program.aws import Clients

Plain = dict[str, Any]
EVERYWHERE = frozenset({"region", "tags", "tagsAll"})


@dataclass
class Call:
    """What a handler gets to know: the resource's name, its plain inputs, its tags (defaults merged in)."""

    aws: Clients
    region: str
    urn: str
    name: str
    inputs: Plain
    tags: dict[str, str]
    token: str = ""
    type: str = ""
    ending: bool = False  # the account itself ends: nothing in it is worth keeping

    def client(self, service: str) -> Any:
        """The service's client in this resource's region."""
        return self.aws.client(service, self.region)

    def arn(self, service: str, rest: str, *, regional: bool = True) -> str:
        """An ARN of this account."""
        return f"arn:aws:{service}:{self.region if regional else ''}:{self.aws.account}:{rest}"


@dataclass(frozen=True)
class Setting:
    """Inputs with an operation of their own, applied after creation and again when one changes."""

    inputs: tuple[str, ...]
    apply: Callable[[Call, str], None]


class Unsupported(Exception):
    """An input that the twin cannot set; never dropped silently."""


@dataclass(frozen=True, kw_only=True)
class Spec:
    """One resource type. See the module's text; `gone` adds error codes that mean "does not exist"."""

    type: str
    service: str
    create: str = ""
    made: str = ""  # path of the id in create's answer; "=input" takes an input as the id
    read: str = ""
    by: str = ""  # parameter of read that takes the id; a list when it ends with "Ids"
    item: str = ""  # path of the object in read's answer
    delete: str = ""
    delete_by: str = ""
    rename: Mapping[str, str] = field(default_factory=dict)  # input → parameter of create
    fixed: Mapping[str, Any] = field(default_factory=dict)  # parameters that are always sent
    outputs: Mapping[str, str] = field(default_factory=dict)  # output → path in the object
    more: Callable[[Call, str, Plain], Plain] | None = None  # outputs that need a thought or another call
    after: tuple[Setting, ...] = ()
    before_delete: Callable[[Call, str, Plain], None] | None = None
    tag_kind: str = ""  # EC2's word for the type in TagSpecifications
    write_only: frozenset[str] = frozenset()  # inputs that no AWS API gives back; say why beside each
    defaults: Mapping[str, Any] = field(default_factory=dict)  # provider-side defaults of inputs
    name_input: str = ""  # input that gets an automatic name when absent
    exclusive: bool = False  # two cannot exist at once, so a replacement deletes first
    dead: tuple[str, ...] = ("deleted", "deleting", "terminated", "shutting-down")
    secret_outputs: frozenset[str] = frozenset()
    gone: tuple[str, ...] = ()
    max_name: int = 64
    tags_as: str = ""  # other services' parameter for tags in create, e.g. "Tags"
    known_inputs: ClassVar[frozenset[str]] = EVERYWHERE

    @property
    def taggable(self) -> bool:
        """Whether the type takes tags at all."""
        return bool(self.tag_kind or self.tags_as)

    def automatic_name(self, name: str) -> str:
        """A name where the program gave none: the resource's and seven random digits, as Pulumi does."""
        suffix = f"-{secrets.token_hex(4)[:7]}"
        return name[: self.max_name - len(suffix)] + suffix

    # ------------------------------------------------------------------ the four verbs
    def make(self, call: Call) -> str:
        """Create and return the id. The first call carries the once-token."""
        client = call.client(self.service)
        params = self.create_params(client, call)
        with call.aws.once(call.token):
            answer = getattr(client, self.create)(**params)
        return self.identify(call, answer)

    def settle(self, call: Call, identity: str) -> None:
        """Apply everything that has an operation of its own."""
        for setting in self.after:
            if not setting.inputs or any(name in call.inputs for name in setting.inputs):
                setting.apply(call, identity)

    def look(self, call: Call, identity: str) -> Plain | None:
        """Outputs as AWS tells them now, or None when the resource does not exist."""
        item = self.fetch(call, identity)
        if item is None or self.is_dead(item):
            return None
        outputs = {k: v for k, v in to_pulumi(item).items() if k in call.inputs or _is_plain(v)}
        outputs.update({name: jmespath.search(path, item) for name, path in self.outputs.items()})
        if self.taggable:
            outputs["tagsAll"] = tags_of(item)
        if self.more is not None:
            outputs.update(self.more(call, identity, item))
        return {name: value for name, value in outputs.items() if value is not None}

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """Apply changed inputs; only called when `can_change` agreed."""
        for setting in self.after:
            if changed & set(setting.inputs):
                setting.apply(call, identity)
        if changed & {"tags", "tagsAll"}:
            self.retag(call, identity)

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Delete; what is gone already is fine."""
        try:
            if self.before_delete is not None:
                self.before_delete(call, identity, outputs)
            if self.delete:
                getattr(call.client(self.service), self.delete)(**{self.delete_by: identity})
        except ClientError as error:
            if not self.means_gone(error):
                raise

    # ------------------------------------------------------------------ parts a subclass may replace
    def can_change(self, changed: set[str]) -> bool:
        """Whether these inputs can change in place."""
        return changed <= {"tags", "tagsAll", *(name for setting in self.after for name in setting.inputs)}

    def create_params(self, client: Any, call: Call) -> Plain:
        """Parameters of the create operation; an input that fits nowhere is refused."""
        settled = {name for setting in self.after for name in setting.inputs}
        left_out = settled | self.known_inputs | (self.write_only - set(self.rename))
        inputs = {k: v for k, v in call.inputs.items() if k not in left_out}
        params = to_aws(client, self.create, inputs, self.rename) | dict(self.fixed)
        if self.tags_as and call.tags:
            params[self.tags_as] = tag_list(call.tags)
        if self.tag_kind and call.tags:
            params["TagSpecifications"] = [{"ResourceType": self.tag_kind, "Tags": tag_list(call.tags)}]
        return params

    def identify(self, call: Call, answer: Plain) -> str:
        """The new resource's id."""
        if self.made.startswith("="):
            return str(call.inputs[self.made[1:]])
        return str(jmespath.search(self.made, answer))

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """The object itself, as AWS describes it."""
        try:
            wanted: Any = [identity] if self.by.endswith("Ids") else identity
            answer = getattr(call.client(self.service), self.read)(**{self.by: wanted})
        except ClientError as error:
            if self.means_gone(error):
                return None
            raise
        found = jmespath.search(self.item, answer) if self.item else answer
        return found if isinstance(found, dict) else None

    def is_dead(self, item: Plain) -> bool:
        """Deleted objects stay visible for a while in EC2."""
        state = item.get("State")
        state = state.get("Name") if isinstance(state, dict) else state
        return str(state).lower() in self.dead

    def retag(self, call: Call, identity: str) -> None:
        """Make the tags exactly those wanted."""
        if self.tag_kind:
            retag_ec2(call, identity)

    def means_gone(self, error: ClientError) -> bool:
        """Whether an error says that the resource does not exist."""
        code = str(error.response.get("Error", {}).get("Code", ""))
        return code in self.gone or "NotFound" in code or code.startswith("NoSuch") or code == "404"


# ---------------------------------------------------------------------- translation by botocore's model
def to_aws(client: Any, operation: str, inputs: Mapping[str, Any], rename: Mapping[str, str]) -> Plain:
    """Inputs as parameters of an operation. Raises `Unsupported` for an input the operation does not know."""
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation])
    return _structure(inputs, model.input_shape, rename)


def _structure(values: Mapping[str, Any], shape: Any, rename: Mapping[str, str]) -> Plain:
    members = {name.lower(): name for name in shape.members}
    result: Plain = {}
    for key, value in values.items():
        name = members.get(rename.get(key, key).lower())
        if name is None:
            raise Unsupported(key)
        result[name] = _convert(value, shape.members[name], rename)
    return result


def _convert(value: Any, shape: Any, rename: Mapping[str, str]) -> Any:  # noqa: PLR0911 - one per kind
    if shape.type_name == "structure":
        return _structure(value, shape, rename)
    if shape.type_name == "list":
        if isinstance(value, Mapping) and set(getattr(shape.member, "members", {})) == {"Key", "Value"}:
            return tag_list(value)  # the wire has tags as a mapping everywhere
        items = value if isinstance(value, list | tuple) else [value]
        return [_convert(item, shape.member, rename) for item in items]
    if shape.type_name == "map":
        return dict(value)
    if shape.type_name in {"integer", "long"}:
        return int(value)
    if shape.type_name == "boolean":
        return value if isinstance(value, bool) else str(value).lower() == "true"
    if shape.type_name in {"float", "double"}:
        return float(value)
    return value if isinstance(value, str) else str(value)


def to_pulumi(value: Any) -> Any:
    """An answer in the wire's spelling: `CidrBlock` → `cidrBlock`, dates as text."""
    if isinstance(value, Mapping):
        return {camel(key): to_pulumi(item) for key, item in value.items() if key not in _NOISE}
    if isinstance(value, list | tuple):
        return [to_pulumi(item) for item in value]
    if isinstance(value, bool | int | float | str) or value is None:
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _is_plain(value: Any) -> bool:
    # What nobody asked for or mapped may have another structure in the SDK; texts and numbers have none.
    items = value if isinstance(value, list) else [value]
    return not any(isinstance(item, Mapping | list) for item in items)


_NOISE = {"ResponseMetadata", "Tags", "TagSet", "TagList"}


def camel(name: str) -> str:
    """`CidrBlock` → `cidrBlock`, `IPProtocol` → `ipProtocol`, `KMSKeyId` → `kmsKeyId`."""
    if name.endswith("ID") and len(name) > 2:
        name = f"{name[:-2]}Id"
    caps = 0
    while caps < len(name) and name[caps].isupper():
        caps += 1
    if caps > 1 and caps < len(name):
        caps -= 1
    return name[:caps].lower() + name[caps:]


# ---------------------------------------------------------------------- tags
def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """AWS's spelling of tags."""
    return [{"Key": key, "Value": str(value)} for key, value in sorted(tags.items())]


def tags_of(item: Mapping[str, Any]) -> dict[str, str]:
    """Tags of a described object, whichever member carries them, as a mapping."""
    listed: Sequence[Mapping[str, str]] = item.get("Tags") or item.get("TagSet") or item.get("TagList") or []
    if isinstance(listed, Mapping):
        return {str(key): str(value) for key, value in listed.items()}
    pairs = {
        tag.get("Key", tag.get("TagKey", "")): tag.get("Value", tag.get("TagValue", "")) for tag in listed
    }
    return {
        key: value for key, value in pairs.items() if not key.startswith("aws:")
    }  # AWS's own, not ours to set


def retag_ec2(call: Call, identity: str) -> None:
    """EC2 tags, exactly those of the call."""
    client = call.client("ec2")
    found = client.describe_tags(Filters=[{"Name": "resource-id", "Values": [identity]}])["Tags"]
    kept = [tag["Key"] for tag in found if not tag["Key"].startswith("aws:")]
    stale = [{"Key": key} for key in kept if key not in call.tags]
    if stale:
        client.delete_tags(Resources=[identity], Tags=stale)
    if call.tags:
        client.create_tags(Resources=[identity], Tags=tag_list(call.tags))
