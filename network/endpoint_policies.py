"""What may pass through our VPC endpoints, as pure documents: our identities, to our account's resources."""

from __future__ import annotations

from iam.documents import Condition, Document, Statement, document


def account_only(account: str) -> Document:
    """Only identities of this account, and only to resources of this account.

    The second half is what stops a stolen key of another account, or a copy of our data into a foreign
    bucket, from inside our network.
    """
    ours: Condition = {"StringEquals": {"aws:PrincipalAccount": account, "aws:ResourceAccount": account}}
    return document([Statement("OurAccountOnly", "Allow", ["*"], principals="*", condition=ours)])


def own_identities_only(account: str) -> Document:
    """Only identities of this account, for the services whose agents also use resources that AWS itself owns.

    Systems Manager's documents and patch baselines belong to AWS, so the resource's account cannot be ours.
    """
    ours: Condition = {"StringEquals": {"aws:PrincipalAccount": account}}
    return document([Statement("OurIdentitiesOnly", "Allow", ["*"], principals="*", condition=ours)])
