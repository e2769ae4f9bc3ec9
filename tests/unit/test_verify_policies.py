"""Policy documents are read as AWS reads them, however they are written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from verify.policies import (
    conditions,
    covers,
    denies_everybody,
    opens_every_key,
    principals,
    statements,
    unlimited,
)

CLEAR_TEXT = "bool aws:securetransport"
ARNS = ["arn:aws:s3:::data", "arn:aws:s3:::data/x"]


def _deny(**change: Any) -> dict[str, Any]:
    body = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::data", "arn:aws:s3:::data/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {"Statement": [{**body, **change}]}


def test_one_statement_and_one_action_need_no_list() -> None:
    policy = {"Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}}
    assert statements(json.dumps(policy))[0]["Action"] == ["s3:GetObject"]
    assert statements(None) == []


@pytest.mark.parametrize("principal", ["*", {"AWS": "*"}, {"AWS": ["arn:aws:iam::1:root", "*"]}])
def test_everybody_is_everybody(principal: Any) -> None:
    assert "*" in principals({"Principal": principal})


def test_operators_and_keys_know_no_case() -> None:
    found = conditions({"Condition": {"BOOL": {"AWS:SecureTransport": False}}})
    assert found == {"bool aws:securetransport": ["false"]}


@pytest.mark.parametrize(
    ("patterns", "action", "expected"),
    [
        (["S3:get*"], "s3:GetObject", True),
        (["s3:Get?bject"], "s3:GetObject", True),
        (["ec2:*"], "s3:GetObject", False),
    ],
)
def test_actions_match_by_pattern(patterns: list[str], action: str, expected: bool) -> None:
    assert covers(patterns, action) is expected


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ({"Effect": "Allow", "Action": ["*"], "Resource": ["*"]}, ["*"]),
        ({"Effect": "Allow", "Action": ["s3:*", "s3:GetObject"], "Resource": ["*"]}, ["s3:*"]),
        ({"Effect": "Allow", "NotAction": ["iam:*"], "Resource": ["*"]}, ["everything but iam:*"]),
        ({"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::data"]}, []),
        ({"Effect": "Deny", "Action": ["*"], "Resource": ["*"]}, []),
    ],
)
def test_unlimited_permissions_are_found(statement: dict[str, Any], found: list[str]) -> None:
    assert unlimited(statement) == found


def test_a_full_refusal_is_recognised() -> None:
    assert denies_everybody(_deny(), "s3:PutObject", ARNS, CLEAR_TEXT, {"false"})


@pytest.mark.parametrize(
    "change",
    [
        {"Effect": "Allow"},
        {"Principal": {"AWS": "arn:aws:iam::1:role/x"}},
        {"Action": "s3:GetObject"},
        {"Resource": "arn:aws:s3:::data/*"},
        {"Condition": {"Bool": {"aws:SecureTransport": "true"}}},
        {"Condition": {"Bool": {"aws:SecureTransport": "false"}, "StringEquals": {"aws:username": "x"}}},
        {"Condition": {}},
    ],
)
def test_a_refusal_with_a_hole_is_none(change: dict[str, Any]) -> None:
    assert not denies_everybody(_deny(**change), "s3:PutObject", ARNS, CLEAR_TEXT, {"false"})


KEY = "arn:aws:kms:ap-south-1:111122223333:key"
ALIASES = {"ForAnyValue:StringLike": {"kms:ResourceAliases": ["alias/in-mumbai-records-*"]}}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"Action": "kms:D*"}, True),
        ({"Action": ["s3:GetObject", "kms:ReEncrypt*"]}, True),
        ({"Action": "kms:DescribeKey"}, False),
        ({"Effect": "Deny"}, False),
        ({"Resource": f"{KEY}/*"}, True),
        ({"Resource": "arn:aws:kms:*"}, True),
        ({"Resource": f"{KEY}/1234"}, False),
        ({"Resource": f"{KEY}/*", "Condition": ALIASES}, False),
        ({"Condition": {"StringEquals": {"kms:ViaService": "s3.ap-south-1.amazonaws.com"}}}, True),
        ({"Resource": "arn:aws:kms:*:111122223333:key/*", "Condition": ALIASES}, True),
        ({"Resource": "arn:aws:kms:ap-south-1:*:key/*", "Condition": ALIASES}, True),
        (
            {
                "Resource": f"{KEY}/*",
                "Condition": {"StringEquals": {"kms:ViaService": "s3.ap-south-1.amazonaws.com"}},
            },
            False,
        ),
        (
            {"Resource": f"{KEY}/*", "Condition": {"ForAnyValue:StringLike": {"kms:ResourceAliases": "*"}}},
            True,
        ),
        ({"Resource": f"{KEY}/*", "Condition": {"StringEquals": {"aws:PrincipalTag/team": "x"}}}, True),
        ({"Action": None, "NotAction": "iam:*"}, True),
        ({"Action": None, "NotAction": "kms:*"}, False),
        ({"Resource": None, "NotResource": "arn:aws:s3:::data"}, True),
    ],
)
def test_every_key_is_open_unless_something_bounds_it(change: dict[str, Any], expected: bool) -> None:
    body = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"} | change
    (statement,) = statements({"Statement": {key: value for key, value in body.items() if value is not None}})
    assert opens_every_key(statement) is expected
