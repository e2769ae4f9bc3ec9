"""Every policy document of the program under parliament: no finding that nobody has explained."""

from __future__ import annotations

import fnmatch
import functools
import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it looks for its data through pkg_resources
    import parliament

from tests.infra.evaluation import documents
from tests.infra.monitor import ROOT, run_of
from verify.policies import opens_every_key, statements

STACKS = sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml"))
EXPLAINED = yaml.safe_load(Path(__file__).with_name("explained.yaml").read_text())


@functools.cache
def findings(text: str) -> tuple[tuple[str, str], ...]:
    """(issue, detail) of one document; the same document is read once."""
    found = parliament.analyze_policy_string(text).findings
    return tuple(sorted({(f.issue, str(f.detail)) for f in found}))


def said(stack: str) -> set[tuple[str, str, str]]:
    return {
        (issue, f"{kind} {name}", detail)
        for kind, name, document in documents(run_of(stack))
        for issue, detail in findings(json.dumps(document, sort_keys=True))
    }


def explains(entry: dict[str, Any], finding: tuple[str, str, str]) -> bool:
    issue, document, detail = finding
    return (
        entry["issue"] == issue
        and any(fnmatch.fnmatchcase(document, pattern) for pattern in entry["documents"].split(", "))
        and fnmatch.fnmatchcase(detail, entry.get("says", "*"))
    )


@pytest.mark.parametrize("stack", STACKS)
def test_no_document_has_a_finding_that_nobody_explained(stack: str) -> None:
    left = sorted(f for f in said(stack) if not any(explains(entry, f) for entry in EXPLAINED))
    assert not left, "\n".join(f"{issue} {document}: {detail[:200]}" for issue, document, detail in left)


@pytest.mark.parametrize("stack", STACKS)
def test_what_a_role_is_given_opens_no_key_of_everywhere(stack: str) -> None:
    """As Security Hub's KMS.1 and KMS.2 judge it, which leave boundaries out and know no condition."""
    given = [(name, document) for kind, name, document in documents(run_of(stack)) if kind == "identity"]
    assert any("kms:Decrypt" in json.dumps(document) for _, document in given)
    assert not [name for name, document in given if any(map(opens_every_key, statements(document)))]


def test_every_explanation_explains_something_and_says_why() -> None:
    found = {finding for stack in STACKS for finding in said(stack)}
    idle = [entry for entry in EXPLAINED if not any(explains(entry, f) for f in found)]
    assert not idle, f"nothing to explain: {idle}"
    assert all(len(entry["why"]) > 30 for entry in EXPLAINED)


def test_a_policy_that_is_wrong_is_found() -> None:
    wrong = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObjects", "Resource": "arn:aws:s3:::b/*"}],
    }
    assert [issue for issue, _ in findings(json.dumps(wrong))] == ["UNKNOWN_ACTION"]
