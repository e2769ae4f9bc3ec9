"""What our HTML pages share: escaping, filters, and a policy under which only our own code acts."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from report.model import Status
from report.plain import label, plain
from report.summary import duration
from report.verdict import SYMBOLS, WORDS, count

_TEMPLATES = Path(__file__).parent / "templates"
LONGEST = 20_000  # characters of one text on a page


@cache
def environment() -> Environment:
    """Every text of a report is escaped, and shown without characters that hide or reverse others."""
    env = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    env.globals.update(symbol=SYMBOLS, word=WORDS, Status=Status)
    env.filters.update(duration=duration, count=count, moment=moment, fact=_fact, label=label)
    return env


def text(*names: str) -> str:
    """Our own style or script."""
    return "".join((_TEMPLATES / name).read_text(encoding="utf-8") for name in names)


def policy(style: str, script: str = "") -> str:
    """Nothing may load; only our style and our script may act, by their hash."""
    scripts = _hash(script) if script else "'none'"
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {scripts}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def moment(at: datetime) -> str:
    """A time as people read it."""
    return f"{at:%Y-%m-%d %H:%M:%S %Z}"


def _hash(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def _visible(value: Any) -> Any:
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return plain(value, LONGEST)


def _fact(value: Any) -> str:
    """A fact as a reader expects it, not as Python prints it."""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value, default=str)
