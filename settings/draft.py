"""From raw data to a draft: what could be read, plus one problem for each thing that could not.

Sections are read item by item, so that a broken site or rule hides nothing of the others: the rules across
fields run on whatever is sound, and all problems are reported in one run.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from settings.access import Access
from settings.data import Backup, Customer, DataClass
from settings.edge import LoadBalancer
from settings.model import (
    Administrator,
    Automation,
    FirewallRule,
    Image,
    Patching,
    Residency,
    Retention,
    ServerRole,
    Services,
    Settings,
    Site,
    Vpc,
)
from settings.problems import Broken, Problem, show
from settings.ssh_keys import depict
from settings.watch import Detection, Dns

# Sections that are mappings of named things: a broken one hides nothing of the others.
_NAMED = (
    "vpcs",
    "server_roles",
    "sites",
    "administrators",
    "automation",
    "data_classes",
    "customers",
    "load_balancers",
)


@dataclass
class Draft:
    """The sound parts of a stack's settings; None or absent where something was broken."""

    region: str | None = None
    account: str | None = None
    owner: str | None = None
    residency: Residency | None = None
    zones: tuple[str, ...] | None = None
    vpcs: dict[str, Vpc] = field(default_factory=dict)
    server_roles: dict[str, ServerRole] = field(default_factory=dict)
    image: Image | None = None
    administrators: dict[str, Administrator] = field(default_factory=dict)
    automation: dict[str, Automation] = field(default_factory=dict)
    sites: dict[str, Site] = field(default_factory=dict)
    services: Services | None = None
    firewall: dict[int, FirewallRule] = field(default_factory=dict)
    retention: Retention | None = None
    patching: Patching | None = None
    access: Access | None = None
    data_classes: dict[str, DataClass] = field(default_factory=dict)
    customers: dict[str, Customer] = field(default_factory=dict)
    backup: Backup | None = None
    load_balancers: dict[str, LoadBalancer] = field(default_factory=dict)
    detection: Detection = field(default_factory=Detection)
    dns: Dns = field(default_factory=Dns)
    transit: str = "peering"
    procedures: str = ""
    names: dict[str, frozenset[str]] = field(default_factory=dict)
    kinds: frozenset[str] = frozenset()
    broken: frozenset[str] = frozenset()

    @classmethod
    def of(cls, settings: Settings) -> Draft:
        """The draft of complete settings."""
        draft = cls(**{name: getattr(settings, name) for name in Settings.model_fields})
        draft.firewall = dict(enumerate(settings.firewall))
        draft.names = {key: frozenset(getattr(settings, key)) for key in _NAMED}
        draft.kinds = frozenset(site.kind for site in settings.sites.values())
        return draft


def read(raw: Mapping[str, Any]) -> tuple[Draft, list[Problem]]:
    """Read every section of `raw`; unknown and missing keys are problems too."""
    problems = [_unknown(str(key), raw[key], Settings.model_fields) for key in _extra(raw)]
    draft, broken = Draft(), set()
    for name, info in Settings.model_fields.items():
        if name not in raw and not info.is_required():
            continue
        if name not in raw:
            problems.append(
                Problem(
                    name,
                    "missing",
                    "every key is stated, there are no defaults",
                    f"add {name}: {info.description}",
                )
            )
            broken.add(name)
            continue
        sound, found = _sound(name, raw[name])
        problems += found
        if found:
            broken.add(name)
        if sound is not None:
            setattr(draft, name, sound)
        _remember_names(draft, name, raw[name])
    draft.broken = frozenset(broken)
    return draft, problems


@functools.cache
def _adapters() -> dict[str, TypeAdapter[Any]]:
    """A validator per section: its annotation with its constraints (pydantic takes them apart)."""
    adapters: dict[str, TypeAdapter[Any]] = {}
    for name, info in Settings.model_fields.items():
        annotation: Any = info.annotation
        for constraint in info.metadata:
            annotation = Annotated[annotation, constraint]
        adapters[name] = TypeAdapter(annotation)
    return adapters


def _extra(raw: Mapping[str, Any]) -> Iterable[str]:
    return [key for key in raw if key not in Settings.model_fields]


def _remember_names(draft: Draft, name: str, value: Any) -> None:
    if isinstance(value, Mapping):
        draft.names[name] = frozenset(str(key) for key in value if str(key).isprintable())
    if name == "sites" and isinstance(value, Mapping):
        draft.kinds = frozenset(str(s.get("kind")) for s in value.values() if isinstance(s, Mapping))


def _sound(key: str, value: Any) -> tuple[Any, list[Problem]]:
    """The value, or for a mapping or list of things the sound ones among them; and a problem per error."""
    adapter = _adapters()[key]
    try:
        parsed = adapter.validate_python(value)
    except ValidationError as error:
        details = error.errors()
        broken = {detail["loc"][0] for detail in details if detail["loc"]}
        return _rest(key, value, broken), [_problem(key, detail) for detail in details]
    return (dict(enumerate(parsed)) if key == "firewall" else parsed), []


def _rest(key: str, value: Any, broken: set[int | str]) -> dict[Any, Any] | None:
    """The items that nothing is wrong with, each under its own name or number."""
    adapter = _adapters()[key]
    if key in _NAMED and isinstance(value, Mapping):
        rest = {name: item for name, item in value.items() if name not in broken}
        return dict(adapter.validate_python(rest)) if rest else None
    if key == "firewall" and isinstance(value, list):
        return {i: adapter.validate_python([item])[0] for i, item in enumerate(value) if i not in broken}
    return None


def _problem(section: str, detail: ErrorDetails) -> Problem:
    """A pydantic error in this project's words: key, value, rule, fix."""
    loc = [str(part) for part in detail["loc"] if part not in ("[key]", "ip-v4-network", "ip-v6-network")]
    key = ".".join([section, *(part for part in loc if not part.startswith("function-"))])
    kind = detail["type"]
    # Where keys of people and machines stand, whatever is wrong may be a secret: it is never repeated.
    value = depict(detail["input"]) if section == "administrators" else show(detail["input"])
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, Broken):
        return Problem(key, cause.shown or value, cause.rule, cause.fix)
    model = _owner(section, detail["loc"])
    if kind == "extra_forbidden":
        fields = {info.alias or name: info for name, info in model.model_fields.items()} if model else {}
        return _unknown(key, value, fields)
    meant = _meaning(model, loc) if loc else str(Settings.model_fields[section].description)
    if kind == "missing":
        return Problem(key, "missing", "every key is stated, there are no defaults", f"add it: {meant}")
    rule = detail["msg"][0].lower() + detail["msg"][1:]
    return Problem(key, value, rule, f"give {meant}")


def _owner(section: str, loc: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The model in which the last named key of `loc` stands."""
    found: type[BaseModel] | None = None
    here: Any = Settings.model_fields[section].annotation
    for part in loc:
        model = _model_in(here)
        if model is None:
            break
        info = next((i for n, i in model.model_fields.items() if part in (n, i.alias)), None)
        if info is not None:
            found, here = model, info.annotation
        elif not _is_collection(here):
            return model
        else:
            found, here = model, model
    return found or _model_in(here)


def _is_collection(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) in (dict, tuple)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in get_args(annotation):
        model = _model_in(part)
        if model is not None:
            return model
    return None


def _meaning(model: type[BaseModel] | None, loc: list[str]) -> str:
    for part in reversed(loc):
        for name, info in (model.model_fields if model else {}).items():
            if part in (name, info.alias) and info.description:
                return info.description
    return "a value of the declared type (python -m settings schema)"


def _unknown(key: str, value: Any, fields: Mapping[str, Any]) -> Problem:
    close = difflib.get_close_matches(key.rsplit(".", 1)[-1], list(fields), n=1)
    fix = f"did you mean {close[0]}?" if close else f"remove it; known here: {', '.join(fields) or 'nothing'}"
    return Problem(key, show(value), "unknown keys are refused", fix)
