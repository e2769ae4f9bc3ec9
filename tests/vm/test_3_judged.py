"""The independent judge of tests/e2e on a kernel of its own, where every rule applies.

`docs/openscap.md` lists what fails here beside what fails everywhere: list and run have to be the same, and
the score is the one that was asked for.
"""

from __future__ import annotations

import gzip
import subprocess

import pytest

from tests.e2e import scap
from tests.e2e.test_openscap import HOSTS_KERNEL, listed
from tests.vm.virtual import Virtual

GOAL = 90.0


@pytest.fixture(scope="module")
def verdict(node: Virtual) -> scap.Verdict:
    """The judge's word; scanner and linux-base lie in the image."""
    node.root("mkdir -p /run/judge && command -v oscap")
    unpack = "gzip -dc | sudo sh -c 'cat > /run/judge/content.xml'"
    subprocess.run(
        ["ssh", "-F", node.lone.ssh_config, node.lone.name, unpack],
        input=gzip.compress(scap.content(), 1), check=True, timeout=300,
    )  # fmt: skip
    return scap.judge(node.lone, "enhanced", seconds=2400)


def test_every_failure_is_listed_with_its_reason_and_nothing_else_is(verdict: scap.Verdict) -> None:
    known = {
        rule for heading, rules in listed().items() if not heading.startswith(HOSTS_KERNEL) for rule in rules
    }
    assert verdict.failed - known == set(), "failed and not listed"
    assert known - verdict.failed == set(), "listed and passed"


def test_the_score_is_what_was_asked_for(verdict: scap.Verdict) -> None:
    assert verdict.score >= GOAL
