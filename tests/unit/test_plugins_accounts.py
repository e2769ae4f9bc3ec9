"""What the action of the accounts refuses by the lists alone, before it has looked at a node."""

from __future__ import annotations

from datetime import date

import pytest

from plugins.action.accounts import refused

TODAY = date(2026, 11, 22)
ENTRY = {"name": "admin", "owner": "platform", "why": "x", "expires": "2026-11-22"}
KEY, OTHER = "ssh-ed25519 AAAAone", "ssh-ed25519 AAAAtwo"


def person(name, *keys):
    return {"name": name, "keys": list(keys)}


@pytest.mark.parametrize(
    ("people", "automation", "words"),
    [
        ([], [{**ENTRY, "expires": "2026-11-21"}], "admin expired on 2026-11-21"),
        ([person("sam", KEY), person("sam", OTHER)], [], "sam is listed 2 times"),
        # The comment behind a key is anybody's to choose.
        ([person("sam", f"{KEY} sam"), person("kim", f"{KEY} kim")], [], "kim and sam share a key"),
    ],
)
def test_a_list_that_nobody_could_answer_for_is_refused(people, automation, words):
    (problem,) = refused(people, automation, TODAY)
    assert words in problem
    assert problem.count(";") == 2, "value, rule and fix"


def test_people_with_keys_of_their_own_and_entries_up_to_their_last_day_are_fine():
    people = [person("sam", KEY, OTHER), person("kim"), person("breakglass", "ssh-ed25519 AAAAthree")]
    assert refused(people, [ENTRY], TODAY) == []
