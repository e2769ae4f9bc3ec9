"""The account's password policy."""

from __future__ import annotations

import pulumi
from pulumi_aws import iam


class AccountBaseline(pulumi.ComponentResource):
    """Passwords: 14 characters of four kinds, the last 24 not again, 90 days, reopened by an administrator
    only.

    Length and reuse follow CIS AWS Foundations Benchmark v3.0.0, 1.8 and 1.9; expiry and hard expiry are
    stricter than it: a forgotten account closes itself.
    """

    password_policy: iam.AccountPasswordPolicy

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:iam:AccountBaseline", name, {}, opts)
        self.password_policy = iam.AccountPasswordPolicy(
            "passwords",
            minimum_password_length=14,
            require_lowercase_characters=True,
            require_uppercase_characters=True,
            require_numbers=True,
            require_symbols=True,
            allow_users_to_change_password=True,
            password_reuse_prevention=24,
            max_password_age=90,
            hard_expiry=True,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
