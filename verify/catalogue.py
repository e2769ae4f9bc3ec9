"""Which catalogue a run was judged by: one hash over every control, whatever the files look like."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from controls.model import Control


def fingerprint(catalogue: Mapping[str, Control]) -> str:
    """SHA-256 (hex) over the controls sorted by id, each as JSON with every key."""
    digest = hashlib.sha256()
    for name in sorted(catalogue):
        digest.update(catalogue[name].model_dump_json().encode() + b"\n")
    return digest.hexdigest()
