"""Procedures: performed within their days, with the document that was filed. Rows M1, M29, M34, E3, E11."""

from __future__ import annotations

import pytest

from controls.procedures import Standing
from verify.subjects import Resource

PROCEDURES = {
    "STK-PRC-001": "provider-attestations",
    "STK-PRC-002": "security-hygiene",
    "STK-PRC-003": "third-party-assessment",
    "STK-PRC-004": "incident-response-team",
    "STK-PRC-005": "contacts-and-access",
    "STK-PRC-006": "post-incident-review",
    "STK-PRC-008": "technical-review",
    "STK-PRC-009": "restore-test",
}


def case(control: str, name: str):
    subject = Resource(f"procedure/{name}", "procedure", facts={"control": control})
    return pytest.param(subject, id=name, marks=pytest.mark.control(control))


@pytest.mark.parametrize("procedure", [case(*item) for item in PROCEDURES.items()], indirect=True)
def test_a_procedure_was_performed_in_time_and_its_document_is_unaltered(procedure: Standing) -> None:
    assert not procedure.complaint, procedure.complaint


@pytest.mark.parametrize("scans", [case("STK-PRC-007", "code-scans")], indirect=True)
def test_this_code_was_scanned_and_nothing_was_found(scans) -> None:
    assert not scans.complaint, scans.complaint
