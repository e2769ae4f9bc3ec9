"""AWS Config: a channel's bucket must let Config in, and rules need a recorder.

AWS Config API reference: PutDeliveryChannel (InsufficientDeliveryPolicyException), PutConfigRule
(NoAvailableConfigurationRecorderException). Nothing is recorded or evaluated by this account.
"""

from __future__ import annotations

import functools
from typing import Any

from moto.config.exceptions import NoAvailableConfigurationRecorderException
from moto.config.models import ConfigBackend
from moto.core.exceptions import ServiceException

from twin.account.extensions import trust
from twin.account.extensions.placing import place

_SERVICE = "config.amazonaws.com"


class Insufficient(ServiceException):
    """The bucket or the key does not let Config deliver."""

    code = "InsufficientDeliveryPolicyException"


def install() -> None:
    """Wrap the two operations."""
    channel, rule = ConfigBackend.put_delivery_channel, ConfigBackend.put_config_rule

    @functools.wraps(channel)
    def put_delivery_channel(self: Any, delivery_channel: dict[str, Any]) -> None:
        bucket, prefix = delivery_channel.get("s3BucketName") or "", delivery_channel.get("s3KeyPrefix")
        target = f"arn:aws:s3:::{bucket}/{prefix + '/' if prefix else ''}AWSLogs/{self.account_id}/Config/x"
        key = delivery_channel.get("s3KmsKeyArn")
        if bucket and not trust.bucket_admits(self.account_id, bucket, _SERVICE, "s3:PutObject", target):
            raise Insufficient(
                f"Insufficient delivery policy to s3 bucket: {bucket}, unable to write to bucket"
            )
        if key and not trust.key_admits(
            self.account_id, self.region_name, key, _SERVICE, "kms:GenerateDataKey"
        ):
            raise Insufficient(f"Insufficient delivery policy to s3 bucket: {bucket}, unable to use its key")
        channel(self, delivery_channel)

    @functools.wraps(rule)
    def put_config_rule(self: Any, config_rule: dict[str, Any], tags: Any = None) -> Any:
        if not self.recorders:
            raise NoAvailableConfigurationRecorderException()
        return rule(self, config_rule, tags)

    place(ConfigBackend, put_delivery_channel=put_delivery_channel, put_config_rule=put_config_rule)
