"""Several accounts behind one endpoint: a session of a role in another account acts in that account.

moto takes the account of its environment for every request and looks at no credentials then. AWS STS API
reference, AssumeRole: the credentials belong to the role's account.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import BaseResponse
from moto.iam.models import iam_backends

from twin.account.extensions.placing import place


def install() -> None:
    """Wrap the choice of the account; credentials that nobody issued stay in the account itself."""
    usual = BaseResponse.get_current_account

    def get_current_account(self: Any) -> str:
        key = self.get_access_key()
        for account, backends in list(iam_backends.items()):
            if any(key in backend.access_keys for backend in list(backends.values())):
                return str(account)
        return str(usual(self))

    place(BaseResponse, get_current_account=get_current_account)
