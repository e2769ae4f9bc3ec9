"""What is wrong with a stack's settings: one line per problem, all of them at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fault import WRONG_USE, Fault

_LONGEST_VALUE = 80
_NOT_REPEATED = "(a private key, not repeated here)"
# A private key as PEM or PuTTY writes it, or the start of OpenSSH's own format (openssh-key-v1) in base64.
_PRIVATE_KEY = re.compile(r"PRIVATE\s+KEY|PuTTY-User-Key-File|Private-Lines|b3BlbnNzaC1rZXktdjE")


@dataclass(frozen=True)
class Problem:
    """One broken rule: where, which value, which rule, and what to do about it."""

    key: str
    value: str
    rule: str
    fix: str

    def __post_init__(self) -> None:
        # Whichever rule found it, and wherever it was pasted.
        for name, text in vars(self).copy().items():
            if holds_private_key(text):
                object.__setattr__(self, name, _NOT_REPEATED)

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
    """A field's value breaks a rule; pydantic wants a ValueError. Becomes a Problem with the same words.

    `shown` stands for the value where the value itself must not be repeated.
    """

    def __init__(self, rule: str, fix: str, shown: str | None = None) -> None:
        super().__init__(rule)
        self.rule, self.fix, self.shown = rule, fix, shown


def holds_private_key(text: str) -> bool:
    """Whether a text looks like a private key or contains one."""
    return _PRIVATE_KEY.search(text) is not None


def show(value: Any) -> str:
    """A value as it fits in one line of a terminal: no line breaks, no control characters, no private key."""
    text = value if isinstance(value, str) else repr(value)
    if holds_private_key(text):
        return _NOT_REPEATED
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
