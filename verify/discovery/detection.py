"""Trails and detectors."""

from __future__ import annotations

from verify.account import Account
from verify.discovery.joining import Contract, Finder, Found, join


def _trails(account: Account, contract: Contract) -> Found:
    stated = contract.get("trail")
    promised = {stated["arn"]: (stated["name"], stated)} if stated else {}
    trails = account.need("cloudtrail", "describe_trails")["trailList"]
    # An organisation's trail is the organisation's: nobody in this account can change or judge it.
    seen = {t["TrailARN"]: t for t in trails if not t.get("IsOrganizationTrail") or t["TrailARN"] in promised}
    return join("trail", promised, seen, "cloudtrail.describe_trails")


def _detectors(account: Account, contract: Contract) -> Found:
    stated = contract.get("detection")
    promised = {stated["detector"]: (contract["stack"], stated)} if stated else {}
    seen = {
        identity: {**account.need("guardduty", "get_detector", DetectorId=identity), "id": identity}
        for identity in account.need("guardduty", "list_detectors")["DetectorIds"]
    }
    return join("detector", promised, seen, "guardduty.get_detector")


KINDS: dict[str, Finder] = {
    "trail": _trails,
    "detector": _detectors,
}
