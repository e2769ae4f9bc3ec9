"""What a control is judged on: a node, or a part of the region."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


class Missing(AssertionError):
    """The region contract promises a resource that the account does not have: a failed control, not an
    error."""


@dataclass(frozen=True)
class Resource:
    """A part of the region as the account shows it now.

    `id` is `<kind>/<name>`; `data` is the API's own description; `source` names the call it came from;
    `expected` is
    its entry in the region contract, None for something the contract does not know.
    `problem` is set when it cannot be judged: the contract promises it and the account lacks it, or the
    account
    does not answer (`error`). `absent`: neither the contract nor the account has any of this kind.
    """

    id: str
    kind: str
    data: dict[str, Any] = field(default_factory=dict, hash=False)
    source: str = ""
    facts: dict[str, Any] = field(default_factory=dict, hash=False)
    expected: dict[str, Any] | None = field(default=None, hash=False)
    problem: str = ""
    error: bool = False
    absent: bool = False

    def __getitem__(self, key: str) -> Any:
        return self.data[key]

    def get(self, key: str, default: Any = None) -> Any:
        """Like dict.get on the API's description."""
        return self.data.get(key, default)
