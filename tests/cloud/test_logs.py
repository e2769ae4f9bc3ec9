"""Log groups: encrypted with our key and kept long enough. Rows M10, M13, M35."""

from __future__ import annotations

from typing import Any

import pytest

from verify.subjects import Resource

Region = dict[str, Any]

# CERT-In, Directions under section 70B(6) of the IT Act, 28 April 2022, (iv): logs of 180 days.
KEPT_DAYS = 180


@pytest.mark.control("STK-LOG-001")
def test_a_log_group_is_encrypted_with_our_own_key(log_group: Resource, region: Region) -> None:
    key = log_group.get("kmsKeyId", "")
    assert key in region["keys"].values(), f"its key is {key or 'of AWS'}"


@pytest.mark.control("STK-LOG-002")
def test_a_log_group_is_kept_for_180_days_at_least_and_not_for_ever(log_group: Resource) -> None:
    days = log_group.get("retentionInDays")
    assert days is not None, "it is kept for ever, which no retention rule asks for"
    assert days >= KEPT_DAYS, f"it is kept for {days} days"
