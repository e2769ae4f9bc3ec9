"""Rules across fields: who may act, from where, when, and what is switched off."""

from __future__ import annotations

import difflib
import functools
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from settings.access import Access, Hours, Switch, ended
from settings.calendar import today
from settings.draft import Draft
from settings.problems import Problem

Rule = Callable[[Draft], Iterator[Problem]]
LONGEST_BREAK_GLASS = timedelta(days=366)
# Debian's cloud images log in as it (inventory.build.LOGIN, nodes.first_boot.LOGIN; a test compares).
LOGIN = "admin"
# A place has a handful of public addresses; a wider range is somebody's whole provider.
WIDEST = {4: 24, 6: 48}
# Without these nobody could sign in to switch them on again.
NEEDED = ("iam", "kms", "logs", "sts")


@functools.cache
def service_prefixes() -> frozenset[str]:
    """Every service that IAM knows, by its prefix; see the file's head for source and date."""
    lines = Path(__file__).with_name("service_prefixes.txt").read_text().splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def trusted_ranges_are_public_and_narrow(draft: Draft) -> Iterator[Problem]:
    """AWS sees public addresses only, and a wide range trusts strangers."""
    for name, ranges in (draft.access.trusted_ranges if draft.access else {}).items():
        if not ranges:
            key = f"access.trusted_ranges.{name}"
            yield Problem(key, "empty", "a place has at least one range", "add one, or remove the place")
        for index, network in enumerate(ranges):
            yield from _range_problem(f"access.trusted_ranges.{name}.{index}", network)


# RFC 5737 and RFC 3849: for documentation; the examples of this repository use them as if they were public.
_EXAMPLES = tuple(map(IPv4Network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")))


def _range_problem(key: str, network: IPv4Network | IPv6Network) -> Iterator[Problem]:
    example = isinstance(network, IPv4Network) and any(network.subnet_of(known) for known in _EXAMPLES)
    if not example and not network.is_global:
        yield Problem(
            key,
            str(network),
            "AWS sees the public address of a caller",
            "name the place's public range; private ranges reach the region by VPN",
        )
    if network.prefixlen < WIDEST[network.version]:
        yield Problem(
            key,
            str(network),
            f"a trusted range is a /{WIDEST[network.version]} or narrower",
            "name the addresses that the place really leaves by",
        )


def identity_account_is_another(draft: Draft) -> Iterator[Problem]:
    """People sign in elsewhere: there are no users in this account."""
    if draft.access and draft.account and draft.access.identity_account == draft.account:
        yield Problem(
            "access.identity_account",
            draft.access.identity_account,
            "people sign in to another account than the one that holds data",
            "name the organisation's identity account",
        )


def hours_open_before_they_close(draft: Draft) -> Iterator[Problem]:
    """A window ends on the day it begins, and names each day once."""
    for team, stated in (draft.access.teams if draft.access else {}).items():
        hours = stated.hours
        if not isinstance(hours, Hours):
            continue
        key = f"access.teams.{team}.hours"
        if hours.from_ >= hours.to:
            rule = "hours end after they begin, on the same day"
            yield Problem(key, f"{hours.from_} to {hours.to}", rule, 'swap them, or end with "24:00"')
        for day, times in Counter(hours.days).items():
            if times > 1:
                yield Problem(f"{key}.days", day, "a day is named once", "remove the repetition")


def break_glass_is_always_there_and_ends(draft: Draft) -> Iterator[Problem]:
    """An emergency keeps no hours, and its role is renewed every year."""
    team = draft.access.teams.get("break-glass") if draft.access else None
    if team is None:
        return
    key = "access.teams.break-glass"
    if team.hours != "always":
        yield Problem(f"{key}.hours", "a window", "an emergency keeps no hours", "write hours: always")
    if team.until is None:
        yield Problem(
            f"{key}.until", "missing", "break-glass ends, at most a year from now", 'add until: "<date>"'
        )
    elif team.until > today() + LONGEST_BREAK_GLASS:
        yield Problem(
            f"{key}.until",
            str(team.until),
            "break-glass ends, at most a year from now",
            "choose an earlier day",
        )


def nothing_has_ended(draft: Draft) -> Iterator[Problem]:
    """What is over is removed or renewed by somebody, so that nobody believes in it."""
    if draft.access is None:
        return
    lasting = {f"access.teams.{name}.until": team.until for name, team in draft.access.teams.items()}
    lasting |= {f"access.switches.{i}.until": s.until for i, s in enumerate(draft.access.switches)}
    for key, until in lasting.items():
        if ended(until, today()):
            yield Problem(key, str(until), "its last day is over", "remove the entry, or give it another end")


def switches_name_what_there_is(draft: Draft) -> Iterator[Problem]:
    """A service that IAM knows and a team that has a role; nothing that signing in needs."""
    for index, switch in enumerate(draft.access.switches if draft.access else ()):
        key = f"access.switches.{index}"
        if switch.service not in service_prefixes():
            close = difflib.get_close_matches(switch.service, service_prefixes(), 3, 0.5)
            fix = f"did you mean {' or '.join(close)}" if close else "use the prefix of its actions in IAM"
            yield Problem(f"{key}.service", switch.service, "a switch names a service that IAM knows", fix)
        if switch.effect == "block" and switch.service in NEEDED:
            yield Problem(
                f"{key}.service",
                switch.service,
                "nothing works without it, not even switching it on again",
                "block what should not be used, or take the role away",
            )
        team = switch.for_.removeprefix("team/")
        if switch.for_.startswith("team/") and draft.access and team not in draft.access.teams:
            known = ", ".join(draft.access.teams)
            yield Problem(
                f"{key}.for", switch.for_, "a switch is for a team of the stack", f"choose from {known}"
            )


def switches_decide_once(draft: Draft) -> Iterator[Problem]:
    """One switch for a service and a group; an enable stands inside a block."""
    access = draft.access
    if access is None:
        return
    seen: dict[tuple[str, str], int] = {}
    for index, switch in enumerate(access.switches):
        key, who = f"access.switches.{index}", (switch.service, switch.for_)
        if who in seen:
            yield Problem(
                key,
                f"{switch.effect} {switch.service} for {switch.for_}",
                "one switch decides about a service and a group",
                f"remove it or switches.{seen[who]}",
            )
        seen.setdefault(who, index)
        if switch.effect == "enable" and not _inside_a_block(switch, access):
            yield Problem(
                key,
                f"enable {switch.service} for {switch.for_}",
                "an enable is an exception inside a wider block; by itself it grants nothing",
                "add the block, or remove the enable",
            )


def _inside_a_block(switch: Switch, access: Access) -> bool:
    wider = {"user": ("organisation", "team"), "team": ("organisation",), "organisation": ()}
    kinds = wider[switch.for_.partition("/")[0]]
    return any(
        other.service == switch.service and other.effect == "block" and other.for_.partition("/")[0] in kinds
        for other in access.switches
    )


def automation_is_the_login_and_ends(draft: Draft) -> Iterator[Problem]:
    """Root without a password ends within a year, and the account that hardens the nodes keeps it."""
    if draft.automation and LOGIN not in draft.automation:
        yield Problem(
            "automation",
            ", ".join(sorted(draft.automation)),
            f"{LOGIN}, the account that the nodes are hardened through, is among them",
            f"add {LOGIN} with owner, why and until",
        )
    for name, entry in draft.automation.items():
        key = f"automation.{name}.until"
        if ended(entry.until, today()):
            yield Problem(
                key, str(entry.until), "its last day is over", "the owner renews or removes the entry"
            )
        elif entry.until > today() + LONGEST_BREAK_GLASS:
            yield Problem(
                key, str(entry.until), "an exception ends, at most a year from now", "choose an earlier day"
            )


RULES: tuple[Rule, ...] = (
    automation_is_the_login_and_ends,
    trusted_ranges_are_public_and_narrow,
    identity_account_is_another,
    hours_open_before_they_close,
    break_glass_is_always_there_and_ends,
    nothing_has_ended,
    switches_name_what_there_is,
    switches_decide_once,
)
