"""Reading a stack file, and what Pulumi hands over, into Settings."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml

from fault import Fault
from settings import draft as drafts
from settings import (
    rules_access,
    rules_balancers,
    rules_binding,
    rules_data,
    rules_edge,
    rules_egress,
    rules_firewall,
    rules_logs,
    rules_names,
    rules_region,
    rules_thresholds,
    rules_transit,
    rules_tunnels,
    rules_watch,
)
from settings.draft import Draft
from settings.model import Settings
from settings.problems import Problem, SettingsError, show

PREFIX = "stockade:"
DISABLED = "pulumi:disable-default-providers"
# What Pulumi itself may write beside `config` (Pulumi stack settings file reference).
PULUMIS_OWN = frozenset(("secretsprovider", "encryptedkey", "encryptionsalt", "environment"))
_TEXT_FIELDS = frozenset(("region", "account", "owner", "transit"))


class _Loader(yaml.SafeLoader):
    """YAML where a key stands once: the second of two equal keys would win silently."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.repeated: list[Problem] = []

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = str(key_node.value)
            if key in seen:
                line = f"a second time on line {key_node.start_mark.line + 1}"
                self.repeated.append(
                    Problem(key, line, "a key stands once", "remove or merge one of the two")
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def violations(draft: Draft) -> list[Problem]:
    """Every rule across fields that the draft breaks."""
    rules = (
        *rules_region.RULES,
        *rules_transit.RULES,
        *rules_tunnels.RULES,
        *rules_names.RULES,
        *rules_firewall.RULES,
        *rules_logs.RULES,
        *rules_data.RULES,
        *rules_access.RULES,
        *rules_balancers.RULES,
        *rules_egress.RULES,
        *rules_edge.RULES,
        *rules_binding.RULES,
        *rules_watch.RULES,
        *rules_thresholds.RULES,
    )
    return [problem for rule in rules for problem in rule(draft)]


def parse(mapping: Mapping[str, Any]) -> Settings:
    """Settings from the un-prefixed mapping; raises SettingsError with all problems at once."""
    return _parse(mapping, [])


def parse_config(config: Mapping[str, str]) -> Settings:
    """Settings from Pulumi's configuration: `stockade:key` to text, JSON where the value has structure."""
    mapping: dict[str, Any] = {}
    for key, text in config.items():
        if not key.startswith(PREFIX):
            continue
        name = key.removeprefix(PREFIX)
        try:
            mapping[name] = text if name in _TEXT_FIELDS else json.loads(text)
        except ValueError:
            mapping[name] = text
    return _parse(mapping, [])


def load(stack: str, root: Path) -> Settings:
    """Read `<root>/Pulumi.<stack>.yaml`.

    Raises Fault when there is none, SettingsError for what is wrong in it.
    """
    path = root / f"Pulumi.{stack}.yaml"
    if not re.fullmatch(r"[a-z][a-z0-9-]*", stack) or not path.is_file():
        known = sorted(p.name.split(".")[1] for p in root.glob("Pulumi.*.yaml"))
        raise Fault(
            f"no stack {stack!r}",
            f"a stack is a file Pulumi.<stack>.yaml in {root.resolve().name}/",
            f"choose from {', '.join(known)}" if known else "add one",
        )
    try:
        loader = _Loader(path.read_text())
        data = loader.get_single_data()
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(
            [Problem(path.name, _place(error), "a stack file is YAML", "correct the syntax")]
        ) from error
    problems = list(loader.repeated)
    mapping = _config_of(path, data, problems)
    roles = mapping.get("server_roles")
    if isinstance(roles, dict) and stack in roles:
        problems.append(
            Problem(f"server_roles.{stack}", stack, "a role is not named as its stack", "choose another name")
        )
    found = _parse(mapping, problems)
    too_long = list(rules_data.bucket_names_fit(stack, rules_data.buckets_of(Draft.of(found))))
    if too_long:
        raise SettingsError(too_long)
    return found


def _parse(mapping: Mapping[str, Any], problems: list[Problem]) -> Settings:
    draft, found = drafts.read(mapping)
    problems += found
    problems += violations(draft)
    if problems:
        raise SettingsError(problems)
    good = Settings.model_validate(dict(mapping))
    # Counted over what the intent becomes, so only once it is sound; network imports the settings.
    from network.limits import exceeded  # noqa: PLC0415

    if over := exceeded(good):
        raise SettingsError(over)
    return good


def _config_of(path: Path, data: Any, problems: list[Problem]) -> dict[str, Any]:
    """The stockade: keys without their prefix; whatever else stands in the file is judged here."""
    if not isinstance(data, dict) or not isinstance(data.get("config"), dict):
        raise SettingsError(
            [
                Problem(
                    path.name, show(data), "a stack file has a mapping `config`", "see Pulumi.in-mumbai.yaml"
                )
            ]
        )
    for key in data:
        if key != "config" and key not in PULUMIS_OWN:
            problems.append(Problem(str(key), show(data[key]), "unknown keys are refused", "remove it"))
    config = data["config"]
    for key, value in config.items():
        if not str(key).startswith(PREFIX) and key != DISABLED:
            problems.append(_foreign(str(key), value))
    if config.get(DISABLED) != ["*"]:
        problems.append(
            Problem(
                DISABLED,
                show(config.get(DISABLED, "missing")),
                "default providers are disabled, so that nothing lands in another region or account",
                f'set {DISABLED}: ["*"]',
            )
        )
    return {str(k).removeprefix(PREFIX): v for k, v in config.items() if str(k).startswith(PREFIX)}


def _place(error: Exception) -> str:
    """Where a file stops being YAML and why; never the text itself, which may be a pasted key."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return "unreadable characters"
    return f"line {error.problem_mark.line + 1}: {show(error.problem or 'not YAML')}"


def _foreign(key: str, value: Any) -> Problem:
    if key.startswith("aws:"):
        return Problem(
            key,
            show(value),
            "the provider is explicit: made from stockade:region and stockade:account",
            "remove it and set the stockade: key",
        )
    return Problem(key, show(value), "unknown keys are refused", f"remove it; settings start with {PREFIX}")
