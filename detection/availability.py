"""Which detection service AWS offers where. Read by the program, the guardrails and the cloud suite."""

from __future__ import annotations

# Regions of our jurisdictions without Amazon Macie, by the endpoints in botocore 1.43 (read 2026-11-22).
WITHOUT_MACIE = frozenset({"ap-south-2", "eu-south-2"})
