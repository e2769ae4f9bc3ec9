"""CloudWatch Logs filter patterns over JSON records: parsed and evaluated. Pure.

CloudWatch Logs User Guide, "Filter pattern syntax for metric filters", section on JSON log events:
`{ selector operator value }`, joined by && and ||, grouped by parentheses; `*` in a quoted value stands for
any text; IS TRUE, IS FALSE, IS NULL and NOT EXISTS. A comparison with a property that the record lacks does
not match. Patterns of other kinds, and regular expressions, are refused: claimed is not evaluated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Matcher = Callable[[Any], bool]

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<punctuation>\{|\}|\(|\)|&&|\|\|)
    | (?P<selector>\$(?:\.[A-Za-z0-9_@-]+|\[(?:\d+|"[^"]+")\])+)
    | (?P<operator>!=|>=|<=|=|>|<)
    | (?P<keyword>NOT\ EXISTS|IS\ TRUE|IS\ FALSE|IS\ NULL)
    | (?P<text>"(?:[^"\\]|\\.)*")
    | (?P<bare>[A-Za-z0-9_.*:/+-]+)
    )""",
    re.VERBOSE,
)
_STEP = re.compile(r'\.([A-Za-z0-9_@-]+)|\[(\d+)\]|\["([^"]+)"\]')
_ABSENT = object()


class BadPattern(ValueError):
    """Not a pattern that CloudWatch Logs takes for JSON records, or none that is evaluated here."""


@dataclass
class _Parser:
    tokens: list[tuple[str, str]]
    place: int = 0

    def take(self, kind: str = "", text: str = "") -> str:
        """The next token, which has to be of this kind or text."""
        if self.place >= len(self.tokens):
            raise BadPattern("the pattern ends early")
        found_kind, found = self.tokens[self.place]
        if (kind and found_kind != kind) or (text and found != text):
            raise BadPattern(f"{found!r} where {text or kind} belongs")
        self.place += 1
        return found

    def sees(self, text: str) -> bool:
        """Whether the next token is this one."""
        return self.place < len(self.tokens) and self.tokens[self.place][1] == text

    def either(self) -> Matcher:
        """Alternatives."""
        found = [self.all()]
        while self.sees("||"):
            self.take()
            found.append(self.all())
        return lambda record: any(matches(record) for matches in found)

    def all(self) -> Matcher:
        """What has to hold together."""
        found = [self.one()]
        while self.sees("&&"):
            self.take()
            found.append(self.one())
        return lambda record: all(matches(record) for matches in found)

    def one(self) -> Matcher:
        """A group or a comparison."""
        if self.sees("("):
            self.take()
            inner = self.either()
            self.take(text=")")
            return inner
        selector = self.take("selector")
        kind, word = self.tokens[self.place] if self.place < len(self.tokens) else ("", "")
        if kind == "keyword":
            self.take()
            return _state(selector, word)
        operator = self.take("operator")
        kind, word = self.tokens[self.place] if self.place < len(self.tokens) else ("", "")
        if kind not in ("text", "bare"):
            raise BadPattern(f"{word!r} where a value belongs")
        self.take()
        return _comparison(selector, operator, word)


def compiled(pattern: str) -> Matcher:
    """The pattern as a function of a parsed record. Raises BadPattern."""
    tokens: list[tuple[str, str]] = []
    place, text = 0, pattern.strip()
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None or found.lastgroup is None:
            raise BadPattern(f"not understood: {text[place : place + 30]!r}")
        tokens.append((found.lastgroup, found.group(found.lastgroup)))
        place = found.end()
    parser = _Parser(tokens)
    parser.take(text="{")
    matches = parser.either()
    parser.take(text="}")
    if parser.place != len(tokens):
        raise BadPattern("something follows the pattern")
    return matches


def matches(pattern: str, message: str) -> bool:
    """Whether a log record matches; one that is not JSON never does. Raises BadPattern."""
    if not pattern.strip():
        return True
    judged = compiled(pattern)
    try:
        record = json.loads(message)
    except ValueError:
        return False
    return judged(record)


def _value(record: Any, selector: str) -> Any:
    for name, index, quoted in _STEP.findall(selector):
        if index:
            if not isinstance(record, list) or int(index) >= len(record):
                return _ABSENT
            record = record[int(index)]
        else:
            if not isinstance(record, dict) or (name or quoted) not in record:
                return _ABSENT
            record = record[name or quoted]
    return record


def _state(selector: str, word: str) -> Matcher:
    wanted = {"IS TRUE": True, "IS FALSE": False, "IS NULL": None, "NOT EXISTS": _ABSENT}[word]
    return lambda record: _value(record, selector) is wanted


def _comparison(selector: str, operator: str, word: str) -> Matcher:
    if word.startswith('"'):
        return _of_text(selector, operator, json.loads(word))
    try:
        number = float(word)
    except ValueError:
        return _of_text(selector, operator, word)
    judge: dict[str, Callable[[float], bool]] = {
        "=": lambda found: found == number,
        "!=": lambda found: found != number,
        ">": lambda found: found > number,
        "<": lambda found: found < number,
        ">=": lambda found: found >= number,
        "<=": lambda found: found <= number,
    }
    compare = judge[operator]

    def of_number(record: Any) -> bool:
        found = _value(record, selector)
        return isinstance(found, int | float) and not isinstance(found, bool) and compare(found)

    return of_number


def _of_text(selector: str, operator: str, wanted: str) -> Matcher:
    if operator not in ("=", "!="):
        raise BadPattern(f"{operator} compares numbers")
    expression = re.compile(".*".join(re.escape(part) for part in wanted.split("*")), re.DOTALL)

    def of_text(record: Any) -> bool:
        found = _value(record, selector)
        if not isinstance(found, str):
            return False
        return (expression.fullmatch(found) is not None) == (operator == "=")

    return of_text
