"""The JSON schema of a whole stack file, for editors; written to docs/generated/settings.schema.json."""

from __future__ import annotations

from typing import Any

from settings.model import Settings
from settings.stack import DISABLED, PREFIX, PULUMIS_OWN


def stack_schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of Pulumi.<stack>.yaml: shapes only, rules across fields are `check`'s."""
    settings = Settings.model_json_schema(by_alias=True)
    keys = {PREFIX + name: shape for name, shape in settings["properties"].items()}
    keys[DISABLED] = {
        "const": ["*"],
        "description": "default providers are disabled; the provider is explicit",
    }
    config = {
        "type": "object",
        "description": "settings of one region",
        "properties": keys,
        "required": [*(PREFIX + name for name in settings["required"]), DISABLED],
        "additionalProperties": False,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Stockade stack file",
        "type": "object",
        "properties": {"config": config, **{name: {} for name in sorted(PULUMIS_OWN)}},
        "required": ["config"],
        "additionalProperties": False,
        "$defs": settings["$defs"],
    }
