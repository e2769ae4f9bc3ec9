"""Rules of source binding (row M25): whatever the internet may reach is bound to sources that somebody
declared, or stands open under an exception that has an owner and an end.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from settings.access import ended
from settings.calendar import today
from settings.draft import Draft
from settings.model import FirewallRule
from settings.problems import Problem
from settings.rules_firewall import BOUND, INTERNET
from settings.rules_region import Rule

LONGEST = timedelta(days=366)  # an exception is looked at again at least once a year


def what_the_internet_reaches_is_bound(draft: Draft) -> Iterator[Problem]:
    """Nobody opens a server to everybody by one word of a rule; a load balancer binds by its web firewall."""
    for index, rule in draft.firewall.items():
        for word in _unbound(draft, rule) if rule.accepted is None else ():
            binds = f"set load_balancers.{word}.sources: customers"
            yield Problem(
                f"firewall.{index}.from",
                f"{INTERNET} to {word}",
                "what faces the internet takes data from bound sources only",
                f"{binds if word in draft.load_balancers else f'use from: [{BOUND}]'}, "
                "or state accepted: {owner, why, change, until}",
            )


def exceptions_have_a_use_and_an_end(draft: Draft) -> Iterator[Problem]:
    """An exception that excepts nothing is taken out; one that has ended closes the stack file."""
    for index, rule in draft.firewall.items():
        if rule.accepted is None:
            continue
        key, until = f"firewall.{index}.accepted", rule.accepted.until
        if not _unbound(draft, rule):
            yield Problem(
                key,
                f"{', '.join(rule.from_)} to {', '.join(rule.to)}",
                "an exception stands where something is open to the internet without a bound source",
                "remove it",
            )
        if ended(until, today()):
            yield Problem(
                f"{key}.until",
                until.isoformat(),
                "the exception has ended; the opening is refused",
                f"bind it (from: [{BOUND}]), or have it accepted again with a new change and day",
            )
        elif until > today() + LONGEST:
            yield Problem(
                f"{key}.until",
                until.isoformat(),
                "an exception lasts a year at most",
                f"choose a day up to {(today() + LONGEST).isoformat()}",
            )


def bound_sources_are_declared(draft: Draft) -> Iterator[Problem]:
    """Without a source of a customer, a rule for bound sources would admit nobody, and look as if it did."""
    if "customers" in draft.broken or any(customer.sources for customer in draft.customers.values()):
        return
    for index, rule in draft.firewall.items():
        if BOUND in rule.from_:
            yield Problem(
                f"firewall.{index}.from",
                BOUND,
                "no customer has a source, so nobody would be admitted",
                "bind one: customers.<name>.sources",
            )


def _unbound(draft: Draft, rule: FirewallRule) -> list[str]:
    """Targets of a rule that it opens to everybody: roles, and load balancers that admit everybody."""
    if INTERNET not in rule.from_:
        return []
    open_to_all = {name for name, found in draft.load_balancers.items() if found.sources == INTERNET}
    return [w for w in rule.to if w in open_to_all | draft.names.get("server_roles", frozenset())]


RULES: tuple[Rule, ...] = (
    what_the_internet_reaches_is_bound,
    exceptions_have_a_use_and_an_end,
    bound_sources_are_declared,
)
