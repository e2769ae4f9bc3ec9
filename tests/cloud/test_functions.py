"""Code that AWS runs for us: who may call it, what it runs on, what it is told. Rows M4, M5, M10, M26."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from settings.calendar import today
from verify import functions
from verify.account import Account
from verify.evidence import redact
from verify.policies import conditions, principals, statements
from verify.subjects import Resource

Region = dict[str, Any]
ABSENT = ("ResourceNotFoundException",)
# What binds a service, or everybody of an organisation, to whom it acts for.
_BOUND = ("aws:sourceaccount", "aws:principalaccount")


@pytest.mark.control("STK-CMP-012")
def test_only_our_own_account_calls_it(function: Resource, aws: Account, region: Region) -> None:
    name, own = function["FunctionName"], str(region["account"])
    url = aws.read("lambda", "get_function_url_config", FunctionName=name, absent=ABSENT)
    assert url is None or url["AuthType"] == "AWS_IAM", "its address answers whoever knows it"
    policy = aws.read("lambda", "get_policy", FunctionName=name, absent=ABSENT)
    for statement in statements(policy["Policy"] if policy else None):
        if statement["Effect"] != "Allow":
            continue
        foreign = {who for who in principals(statement) if who != own and f":{own}:" not in who}
        asked = conditions(statement)
        bound = any(asked.get(f"stringequals {key}") == [own] for key in _BOUND)
        assert bound or not foreign, f"{statement.get('Sid')} lets {', '.join(sorted(foreign))} call it"


@pytest.mark.control("STK-CMP-013")
def test_its_runtime_still_gets_security_fixes(function: Resource) -> None:
    if function.get("PackageType") == "Image":
        pytest.skip("not applicable: an image brings its own runtime, which Inspector scans")
    runtime = str(function["Runtime"])
    ends = functions.runtimes().get(runtime)
    assert ends is not None, f"{runtime} is not in {functions.TABLE}: AWS ended it, or its end is to be added"
    assert today() <= date.fromisoformat(ends), f"{runtime} gets no fixes since {ends}"


@pytest.mark.control("STK-CMP-014")
def test_its_environment_holds_no_secret(function: Resource) -> None:
    variables = function.get("Environment", {}).get("Variables", {})
    # Name and value side by side, as a secret is recognised; compared here: pytest would print both sides.
    secret = sorted(name for name, value in variables.items() if _is_secret(name, str(value)))
    assert not secret, f"{', '.join(secret)}: whoever may describe the function reads it"


def _is_secret(name: str, value: str) -> bool:
    text = json.dumps({name: value})
    return bool(value) and redact(text) != text
