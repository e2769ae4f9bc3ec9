"""KMS: the rotation period is kept and given back, and a symmetric key has no private half.

KMS API reference, EnableKeyRotation and GetKeyRotationStatus: 90 to 2560 days, 365 unless said otherwise;
the next rotation is one period after rotation was enabled.

moto searches an RSA key for every key it makes, also for one that only encrypts and that nobody can ask for a
public half; the twenty keys of a region cost seconds of a processor.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from moto.core.utils import unix_time, utcnow
from moto.kms import models, utils
from moto.kms.exceptions import ValidationException
from moto.kms.responses import KmsResponse

from twin.account.extensions.placing import place

_DEFAULT_DAYS = 365
_LEAST_DAYS, _MOST_DAYS = 90, 2560


def install() -> None:
    """Wrap the two operations and the search for private keys."""
    place(models, generate_private_key=_private_key)
    enable, status = KmsResponse.enable_key_rotation, KmsResponse.get_key_rotation_status

    def enable_key_rotation(self: Any) -> Any:
        days = int(self._get_param("RotationPeriodInDays") or _DEFAULT_DAYS)
        if not _LEAST_DAYS <= days <= _MOST_DAYS:
            raise ValidationException(f"RotationPeriodInDays must be between {_LEAST_DAYS} and {_MOST_DAYS}")
        answer = enable(self)
        key = _key(self)
        key.rotation_days, key.rotation_from = days, utcnow()
        return answer

    def get_key_rotation_status(self: Any) -> Any:
        answer = json.loads(status(self))
        key = _key(self)
        answer["KeyId"] = key.arn
        if answer["KeyRotationEnabled"]:
            days = getattr(key, "rotation_days", _DEFAULT_DAYS)
            answer["RotationPeriodInDays"] = days
            answer["NextRotationDate"] = unix_time(
                getattr(key, "rotation_from", utcnow()) + timedelta(days=days)
            )
        return json.dumps(answer)

    place(KmsResponse, enable_key_rotation=enable_key_rotation)
    place(KmsResponse, get_key_rotation_status=get_key_rotation_status)


_search = utils.generate_private_key
_PAIRED = {*utils.KeySpec.rsa_key_specs(), *utils.KeySpec.ecc_key_specs(), utils.KeySpec.SM2.value}


def _private_key(spec: str) -> Any:
    return _search(spec) if spec in _PAIRED else None


def _key(response: Any) -> Any:
    backend = response.kms_backend
    return backend.keys[backend.get_key_id(response._get_param("KeyId"))]
