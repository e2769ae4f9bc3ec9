"""Fixtures of the suites that judge the region: `aws` and one fixture per kind of resource.

A test that uses `bucket` runs once per bucket of the account, one that uses none of them once for the
account.
"""

from __future__ import annotations

from typing import Any

import pytest

from verify.account import Account, AccountFault
from verify.discovery import KINDS, discover
from verify.plugin import STATE
from verify.subjects import Missing, Resource

ACCOUNT = pytest.StashKey[Account]()
FOUND = pytest.StashKey[dict[str, list[Resource]]]()


def _account(config: pytest.Config) -> Account:
    if ACCOUNT not in config.stash:
        state = config.stash[STATE]
        config.stash[ACCOUNT] = Account(state.contract["region"], state.reach.recorder)
    return config.stash[ACCOUNT]


def found(config: pytest.Config, kind: str) -> list[Resource]:
    """All resources of a kind, discovered once per run."""
    known = config.stash.setdefault(FOUND, {})
    if kind not in known:
        known[kind] = discover(kind, _account(config), config.stash[STATE].contract)
    return known[kind]


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.config.option.collectonly and STATE not in metafunc.config.stash:
        return
    for kind in KINDS:
        if kind in metafunc.fixturenames:
            resources = _of_tier(metafunc, found(metafunc.config, kind))
            ids = [resource.id for resource in resources]
            metafunc.parametrize(kind, resources, ids=ids, indirect=True, scope="session")


def _of_tier(metafunc: pytest.Metafunc, resources: list[Resource]) -> list[Resource]:
    """Keep the resources of the tiers that a test's `tiers` mark names; those that cannot be judged stay."""
    tiers = {tier for mark in metafunc.definition.iter_markers("tiers") for tier in mark.args}
    kept = [
        r for r in resources if not tiers or r.error or r.absent or (r.expected or {}).get("tier") in tiers
    ]
    kind = resources[0].kind
    return kept or [Resource(f"{kind}/none", kind, absent=True)]


@pytest.fixture(scope="session")
def aws(request: pytest.FixtureRequest) -> Account:
    """The account under verification; reads only."""
    return _account(request.config)


@pytest.fixture(scope="session")
def resources(request: pytest.FixtureRequest) -> Any:
    """resources(kind): everything of another kind, for checks that compare."""
    return lambda kind: [r for r in found(request.config, kind) if not r.problem and not r.absent]


def _judged(resource: Resource) -> Resource:
    """The resource, if there is anything of it to judge."""
    if resource.error:
        raise AccountFault(resource.problem)
    if resource.absent:
        pytest.skip(f"not applicable: the region has no {resource.kind.replace('_', ' ')} of this kind")
    if resource.problem:
        raise Missing(resource.problem)
    return resource


def _kind_fixture(kind: str) -> Any:
    def one(request: pytest.FixtureRequest) -> Resource:
        return _judged(request.param)

    one.__doc__ = f"One {kind.replace('_', ' ')} of the account."
    return pytest.fixture(scope="session", name=kind)(one)


for _kind in KINDS:
    globals()[f"{_kind}_fixture"] = _kind_fixture(_kind)
