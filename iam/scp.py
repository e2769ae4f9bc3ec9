"""The organisation's policies (SCPs) that hold above this account. `python -m iam.scp STACK` prints them.

They cannot be made from inside the account they bound, so they are exported: as JSON for whoever manages the
organisation. Each is at most 5,120 characters; four beside AWS's FullAWSAccess are the most that can be
attached to one account or unit (AWS Organizations quotas, 2026-11).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import fault
import settings
from iam import switches
from iam.documents import Condition, Document, Statement, document, outside_regions
from iam.team_grants import Place
from iam.team_limits import DESTRUCTION, GLOBAL, TEAMS_PATH
from iam.team_trust import networks_of
from settings import Settings

MOST_CHARACTERS = 5120
# Services whose data endpoints our own networks and trusted places alone may call.
DATA = ("kms:Decrypt", "kms:GenerateDataKey*", "s3:Get*", "s3:Put*", "secretsmanager:*", "sqs:*", "ssm:Get*")
# Roles that the organisation itself keeps in the account: by them a team's role is changed.
ADMINISTRATION = "arn:aws:iam::*:role/OrganizationAccountAccessRole"
UNLOCKING = (
    *("backup:DeleteBackupVault*", "backup:DeleteRecoveryPoint", "backup:PutBackupVaultLockConfiguration"),
    *("s3:BypassGovernanceRetention", "s3:DeleteBucket", "s3:DeleteObjectVersion"),
    *("s3:PutBucketObjectLockConfiguration", "kms:ScheduleKeyDeletion", "kms:DeleteImportedKeyMaterial"),
)
# Opened when the program is first run: setting a lock makes it stronger, and compliance mode only ever grows.
STRENGTHENING = ("backup:PutBackupVaultLockConfiguration", "s3:PutBucketObjectLockConfiguration")


def place_policy(config: Settings) -> Document:
    """Stays in its regions and in the organisation; no root, no users, no keys of their own."""
    root: Condition = {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:root"}}
    users = ("iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:CreateUser", "iam:UpdateLoginProfile")
    providers = ("iam:CreateOpenIDConnectProvider", "iam:CreateSAMLProvider", "iam:UpdateSAMLProvider")
    leaving = ("account:CloseAccount", "account:EnableRegion", "organizations:LeaveOrganization")
    allowed = config.residency.allowed_regions
    return document(
        [
            Statement("StayInRegions", "Deny", GLOBAL, condition=outside_regions(allowed), excepting=True),
            Statement("StayInOrganisation", "Deny", leaving),
            Statement("NoRoot", "Deny", ["*"], condition=root),
            Statement("NoUsersAndKeys", "Deny", users),
            Statement("NoOtherSignIn", "Deny", providers),
        ]
    )


def records_policy(place: Place) -> Document:
    """Trail, detection, locks, keys and teams stay, also for somebody with every right in the account."""
    destroying = sorted({*DESTRUCTION, *UNLOCKING} - set(STRENGTHENING))
    changing = ("iam:Attach*", "iam:Create*", "iam:Delete*", "iam:Detach*", "iam:Put*", "iam:Update*")
    kept = (f"arn:aws:iam::*:role/{TEAMS_PATH}/*", f"arn:aws:iam::*:policy/{TEAMS_PATH}/*")
    roller = f"arn:aws:iam::*:role/{TEAMS_PATH}/{place.stack}/{place.stack}-window-roll"
    but: Condition = {"ArnNotLike": {"aws:PrincipalArn": [ADMINISTRATION, roller]}}
    return document(
        [
            Statement("KeepRecords", "Deny", destroying),
            Statement("KeepTeams", "Deny", changing, kept, condition=but),
        ]
    )


def perimeter_policy(config: Settings) -> Document:
    """Data is reached from trusted places or through a VPC endpoint; a node's keys only from its own VPC."""
    networks = sorted(str(network) for network in networks_of(config.access))
    outside: Condition = {
        "NotIpAddressIfExists": {"aws:SourceIp": networks},
        "Null": {"aws:SourceVpc": "true"},
        "BoolIfExists": {"aws:PrincipalIsAWSService": "false", "aws:ViaAWSService": "false"},
        "ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/aws-service-role/*"},
    }
    # EC2 puts the VPC of the instance into the credentials of its role (IAM User Guide, global keys).
    elsewhere: Condition = {
        "StringNotEqualsIfExists": {"aws:Ec2InstanceSourceVpc": "${aws:SourceVpc}"},
        "Null": {"ec2:SourceInstanceARN": "false"},
        "BoolIfExists": {"aws:ViaAWSService": "false"},
    }
    return document(
        [
            Statement("DataFromOurNetworks", "Deny", DATA, condition=outside),
            Statement("NodeKeysFromTheirVpc", "Deny", DATA, condition=elsewhere),
        ]
    )


def policies(stack: str, config: Settings) -> dict[str, Document]:
    """Name → policy. `switches` only when the stack file has some that concern the organisation.

    Raises Fault for one that is longer than AWS takes.
    """
    place = Place(stack, config.account, config.region)
    made = {
        "place": place_policy(config),
        "records": records_policy(place),
        "perimeter": perimeter_policy(config),
    }
    roles = {
        str(team): place.iam(f"role/{TEAMS_PATH}/{stack}/{stack}-{team}") for team in config.access.teams
    }
    switched = switches.for_organisation(config.access.switches, roles)
    if switched:
        made["switches"] = document(switched)
    for name, policy in made.items():
        length = len(json.dumps(policy, separators=(",", ":")))
        if length > MOST_CHARACTERS:
            raise fault.Fault(
                f"the organisation policy {name} of {stack} has {length} characters",
                f"AWS takes {MOST_CHARACTERS}",
                "end some switches, or join trusted ranges",
            )
    return made


def run(arguments: Sequence[str] | None = None) -> int:
    """Print the policies of a stack, or write each to a file of its own."""
    parser = argparse.ArgumentParser(prog="python -m iam.scp", description="Policies for the organisation.")
    parser.add_argument("stack", help="the <stack> of Pulumi.<stack>.yaml")
    parser.add_argument("--out", type=Path, help="folder for one JSON file per policy")
    given = parser.parse_args(arguments)
    made = policies(given.stack, settings.load(given.stack, Path.cwd()))
    if given.out is None:
        print(json.dumps(made, indent=2, sort_keys=True))
        return fault.GOOD
    given.out.mkdir(parents=True, exist_ok=True)
    for name, policy in made.items():
        path = given.out / f"{name}.json"
        path.write_text(json.dumps(policy, indent=2, sort_keys=True) + "\n")
        print(path)
    return fault.GOOD


if __name__ == "__main__":
    fault.main(run)
