"""What is known of AWS Lambda's runtimes: a table with source and date, not code."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

TABLE = "verify/runtimes.yaml"


@cache
def runtimes() -> dict[str, str]:
    """Runtime → last day on which AWS promises security fixes, as an ISO date."""
    data: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("runtimes.yaml").read_text())
    return {str(name): str(day) for name, day in data["runtimes"].items()}
