"""What is wrong with a stack's settings: one line per problem, all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fault import WRONG_USE, Fault

_LONGEST_VALUE = 80


@dataclass(frozen=True)
class Problem:
    """One broken rule: where, which value, which rule, and what to do about it."""

    key: str
    value: str
    rule: str
    fix: str

    def __str__(self) -> str:
        return f"{show(self.key)}: {self.value}; {self.rule}; {self.fix}"


class SettingsError(Fault):
    """All problems of one stack's settings. Printed by `fault.main` as one line each, exit code 2."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems: list[Problem] = list(problems)
        first = self.problems[0]
        super().__init__(f"{first.key}: {first.value}", first.rule, first.fix, WRONG_USE)

    def __str__(self) -> str:
        # fault.main puts "error: " before the first line only.
        return "\nerror: ".join(str(problem) for problem in self.problems)


class Broken(ValueError):
    """A field's value breaks a rule; pydantic wants a ValueError. Becomes a Problem with the same words."""

    def __init__(self, rule: str, fix: str) -> None:
        super().__init__(rule)
        self.rule, self.fix = rule, fix


def show(value: Any) -> str:
    """A value as it fits in one line of a terminal: no line breaks, no control characters."""
    text = value if isinstance(value, str) else repr(value)
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
