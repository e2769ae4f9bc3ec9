"""Rules of the collector of logs: every node may reach it, or its journal is kept where an intruder is."""

from __future__ import annotations

from collections.abc import Iterator

from settings.draft import Draft
from settings.problems import Problem
from settings.rules_region import Rule

WORD = "log_collector"


def every_role_reaches_the_collector(draft: Draft) -> Iterator[Problem]:
    """Forwarding is a control of every node; the intent must let it happen."""
    collector = draft.services.log_collector if draft.services else None
    if collector is None or "firewall" in draft.broken:
        return
    for name in draft.server_roles:
        if not any(
            name in rule.from_ and WORD in rule.to and (rule.protocol, rule.port) == ("tcp", collector.port)
            for rule in draft.firewall.values()
        ):
            yield Problem(
                "firewall",
                f"no rule from {name} to {WORD} tcp {collector.port}",
                "every role forwards its journal to the collector of services.log_collector",
                f"add {{from: [{name}], to: [{WORD}], protocol: tcp, port: {collector.port}, why: …}}",
            )


def the_collector_is_named_before_it_is_reached(draft: Draft) -> Iterator[Problem]:
    """A rule to the collector needs one."""
    if draft.services is None or draft.services.log_collector is not None:
        return
    for index, rule in draft.firewall.items():
        if WORD in rule.to:
            yield Problem(
                f"firewall.{index}.to",
                WORD,
                "the collector of logs is stated before it is reached",
                "state services.log_collector: {address, authority, operator}, or take the word away",
            )


RULES: tuple[Rule, ...] = (every_role_reaches_the_collector, the_collector_is_named_before_it_is_reached)
