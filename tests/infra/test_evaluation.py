"""The evaluation itself against the cases of the IAM User Guide, "Policy evaluation logic"."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from iam.documents import Statement, document
from tests.infra.evaluation import Policies, Request, allowed

ROLE = "arn:aws:iam::111122223333:role/team/reader"
BUCKET = "arn:aws:s3:::b"
REQUEST = Request(ROLE, "s3:GetObject", f"{BUCKET}/x", {"aws:SourceIp": "203.0.113.10", "aws:userid": "A:u1"})


def says(effect: Any, action: str = "s3:GetObject", **more: Any) -> dict[str, Any]:
    return document([Statement("One", effect, [action], **more)])


GRANT, REFUSAL = says("Allow"), says("Deny")
NOTHING = says("Allow", "s3:ListBucket")
TO_ROLE = says("Allow", principals={"AWS": [ROLE]})
TO_ACCOUNT = says("Allow", principals={"AWS": ["arn:aws:iam::111122223333:root"]})


@pytest.mark.parametrize(
    ("case", "policies", "expected"),
    [
        ("nothing is said", Policies(), False),
        ("identity allows", Policies([GRANT]), True),
        ("identity denies beside allowing", Policies([GRANT, REFUSAL]), False),
        ("boundary says nothing", Policies([GRANT], NOTHING), False),
        ("boundary alone grants nothing", Policies([NOTHING], GRANT), False),
        ("identity and boundary allow", Policies([GRANT], GRANT), True),
        ("organisation says nothing", Policies([GRANT], GRANT, [NOTHING]), False),
        ("organisation alone grants nothing", Policies([], None, [GRANT]), False),
        ("each level of the organisation has to allow", Policies([GRANT], None, [GRANT, NOTHING]), False),
        ("organisation denies", Policies([GRANT], GRANT, [says("Allow", "*"), REFUSAL]), False),
        ("a bucket may allow by itself", Policies([], None, resource=TO_ROLE), True),
        (
            "a bucket's grant to a role stays inside its boundary",
            Policies([], NOTHING, resource=TO_ROLE),
            False,
        ),
        (
            "a bucket's grant to the account leaves it to identity",
            Policies([], None, resource=TO_ACCOUNT),
            False,
        ),
        ("a bucket denies", Policies([GRANT], resource=says("Deny", principals="*")), False),
        ("a key has to allow", Policies([GRANT], resource=NOTHING, resource_must_allow=True), False),
        (
            "a key leaves it to identity",
            Policies([GRANT], resource=TO_ACCOUNT, resource_must_allow=True),
            True,
        ),
        (
            "an endpoint lets nothing else pass",
            Policies([GRANT], endpoint=says("Allow", "s3:PutObject")),
            False,
        ),
        ("an endpoint passes", Policies([GRANT], endpoint=says("Allow", "*", principals="*")), True),
    ],
)
def test_policies_combine_as_documented(case: str, policies: Policies, expected: bool) -> None:
    assert allowed(REQUEST, policies) is expected, case


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}, True),
        ({"IpAddress": {"aws:SourceIp": "198.51.100.0/24"}}, False),
        ({"Bool": {"aws:SecureTransport": "true"}}, False),  # absent: an affirmative operator does not match
        ({"BoolIfExists": {"aws:SecureTransport": "true"}}, True),
        ({"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}, True),  # absent: a negated operator matches
        ({"Null": {"aws:SourceVpce": "true"}}, True),
        ({"StringLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/team/*"}}, True),
        ({"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}}, False),  # no clock but the request's
    ],
)
def test_conditions_see_the_request_and_nothing_else(condition: Any, expected: bool) -> None:
    assert allowed(REQUEST, Policies([says("Allow", condition=condition)])) is expected


def test_a_variable_is_the_requests_value_and_matches_nothing_without_one() -> None:
    mine = says("Allow", resources=(BUCKET + "/${aws:userid}/*",))
    request = replace(REQUEST, resource=f"{BUCKET}/A:u1/x")
    assert allowed(request, Policies([mine]))
    assert not allowed(replace(request, context={}), Policies([mine]))
    assert not allowed(replace(request, resource=f"{BUCKET}/A:u2/x"), Policies([mine]))
