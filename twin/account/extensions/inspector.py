"""Inspector: an account that is not named is the caller's own, and every account has a status.

Amazon Inspector API reference: Enable, Disable and BatchGetAccountStatus; Lambda code scanning needs Lambda
standard scanning, and Disable without types means all of them.
"""

from __future__ import annotations

import functools
from typing import Any

from moto.core.exceptions import ServiceException
from moto.inspector2.models import AccountStatus, Inspector2Backend

from twin.account.extensions.placing import place

TYPES = ("EC2", "ECR", "LAMBDA", "LAMBDA_CODE")


class Invalid(ServiceException):
    """A type that AWS refuses."""

    code = "ValidationException"


def install() -> None:
    """Wrap the three operations."""
    enable, disable = Inspector2Backend.enable, Inspector2Backend.disable
    status = Inspector2Backend.batch_get_account_status

    @functools.wraps(enable)
    def enabling(self: Any, account_ids: Any, resource_types: list[str]) -> Any:
        accounts = account_ids or [self.account_id]
        _known(resource_types)
        for account in accounts:
            now = self.account_status.setdefault(account, AccountStatus(account))
            if (
                "LAMBDA_CODE" in resource_types
                and "LAMBDA" not in resource_types
                and now._lambda != "ENABLED"
            ):
                raise Invalid("Lambda code scanning needs Lambda standard scanning.")
        return enable(self, accounts, resource_types)

    @functools.wraps(disable)
    def disabling(self: Any, account_ids: Any, resource_types: Any) -> Any:
        types = list(resource_types or TYPES)
        _known(types)
        if "LAMBDA" in types:
            types.append("LAMBDA_CODE")
        return disable(self, account_ids or [self.account_id], types)

    @functools.wraps(status)
    def batch_get_account_status(self: Any, account_ids: Any) -> Any:
        wanted = account_ids or [self.account_id]
        for account in wanted:
            self.account_status.setdefault(account, AccountStatus(account))
        return status(self, wanted)

    place(
        Inspector2Backend,
        enable=enabling,
        disable=disabling,
        batch_get_account_status=batch_get_account_status,
    )


def _known(types: list[str]) -> None:
    strange = sorted(set(types) - set(TYPES))
    if strange:
        raise Invalid(f"resourceTypes has {', '.join(strange)}, which is none of {', '.join(TYPES)}")
