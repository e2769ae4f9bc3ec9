"""What a test read, bounded and without secrets."""

from __future__ import annotations

import re

LIMIT = 4096
PART = 1600
_REDACTED = "[redacted]"
# Each pattern keeps what is needed to see that there was a secret, never the secret.
_SECRETS = (
    re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----)[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)"),
    re.compile(r"(<pre_shared_key>)[^<]*"),
    re.compile(r"(\$(?:y|gy|7|6|5|1|2[aby])\$)[^\s:\"']+"),
    re.compile(r"\b((?:AKIA|ASIA))[A-Z0-9]{16}\b"),
    re.compile(
        r"(?i)((?:pre[_-]?shared[_-]?key|psk|(?<!lock_)(?<!no)(?<!etc/)passwd|password|passphrase|secret(?:[_-]?(?:string|binary|access[_-]?key|key))?"
        r"|(?:session|access|auth)?[_-]?token|api[_-]?key|authorization)"
        r"[\"']?\s*[:=](?!=)\s*)(?:\"[^\"]*\"|'[^']*'|(?:(?:Bearer|Basic)\s+)?[^\s\"',;}]+)"
    ),
)
# One of these is in whatever the last pattern finds; to look for them takes a fraction of its search,
# and most of what a region answers has none.
_NAMES = (
    *("pass", "secret", "token", "psk", "author"),
    *(f"{word}{joint}key" for word in ("shared", "api") for joint in ("", "_", "-")),
)


def redact(text: str) -> str:
    """Remove private keys, password hashes, pre-shared keys, tokens and AWS key ids from text."""
    folded = text.casefold().replace("\u0131", "i").replace("\u0307", "")  # as the pattern takes letters
    named = any(name in folded for name in _NAMES)
    for pattern in _SECRETS if named else _SECRETS[:-1]:
        text = pattern.sub(lambda found: found.group(1) + _REDACTED, text)
    return text


class Recorder:
    """Collects the evidence of the test that runs now."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def start(self) -> None:
        """Forget what the test before read."""
        self._parts = []

    def note(self, question: str, answer: str | bytes, outcome: str = "") -> None:
        """Note one command or API call with its answer; both are cut and stripped of secrets."""
        # Cut before the search for secrets, which is slow on megabytes, and well behind what is shown, so
        # that
        # no secret is cut in two and shown by half.
        part = answer[: 4 * PART]
        text = part.decode(errors="replace") if isinstance(part, bytes) else part
        text = redact(text).rstrip()
        if len(text) > PART:
            text = f"{text[:PART]}\n… {len(answer)} characters in all"
        head = redact(question)[:500] + (f"   [{outcome}]" if outcome else "")
        self._parts.append(f"{head}\n{text}" if text else head)

    def text(self) -> str:
        """Everything noted, at most LIMIT characters; the last reads are kept, because they decided."""
        whole = "\n".join(self._parts)
        if len(whole) <= LIMIT:
            return whole
        return "… earlier reads left out\n" + whole[-(LIMIT - 30) :]
