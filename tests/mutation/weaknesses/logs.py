"""Weaknesses of the logs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.mutation.weaknesses.pairs import Pairs, Weakness, pairs


def tunnel_logs_kept_for_a_month(live: Any) -> Iterator[Pairs]:
    logs = live.client("logs")
    group = next(g for g in logs.describe_log_groups()["logGroups"] if g["logGroupName"].endswith("/vpn"))
    name = group["logGroupName"]
    logs.put_retention_policy(logGroupName=name, retentionInDays=30)
    yield pairs(f"log_group/{name.lstrip('/')}", "LOG-002")
    logs.put_retention_policy(logGroupName=name, retentionInDays=group["retentionInDays"])


def log_group_by_hand(live: Any) -> Iterator[Pairs]:
    logs = live.client("logs")
    logs.create_log_group(logGroupName="/quick")
    yield pairs("log_group/quick", "LOG-001", "LOG-002")
    logs.delete_log_group(logGroupName="/quick")


WEAKNESSES: tuple[Weakness, ...] = (tunnel_logs_kept_for_a_month, log_group_by_hand)
