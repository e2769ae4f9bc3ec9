"""What a control is judged on: a node, or a part of the region."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Resource:
    """A part of the region as the account shows it now.

    `id` is `<kind>/<name>`; `data` is the API's own description; `source` names the call it came from.
    `problem` is set when it cannot be judged: the contract promises it and the account lacks it, or the
    account does
    not answer (`error`).
    """

    id: str
    kind: str
    data: dict[str, Any] = field(default_factory=dict, hash=False)
    source: str = ""
    facts: dict[str, Any] = field(default_factory=dict, hash=False)
    problem: str = ""
    error: bool = False

    def __getitem__(self, key: str) -> Any:
        return self.data[key]

    def get(self, key: str, default: Any = None) -> Any:
        """Like dict.get on the API's description."""
        return self.data.get(key, default)
