"""What holds for everything EC2 in this region, also for what somebody starts by hand."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_aws import ebs, ec2, ssm

# Systems Manager User Guide, "Blocking public sharing for documents": the account's setting in a region.
DOCUMENT_SHARING = "/ssm/documents/console/public-sharing-permission"


@dataclass(frozen=True)
class ComputeBaselineArgs:
    """The key that new volumes get when nobody names one."""

    volume_key_arn: pulumi.Output[str]


class ComputeBaseline(pulumi.ComponentResource):
    """Volumes encrypted, metadata by session token only, nothing of it public, no serial console."""

    def __init__(
        self, name: str, args: ComputeBaselineArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("stockade:nodes:ComputeBaseline", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        ebs.EncryptionByDefault("volumes", enabled=True, opts=child)
        ebs.DefaultKmsKey("volumes", key_arn=args.volume_key_arn, opts=child)
        ec2.InstanceMetadataDefaults(
            "metadata",
            http_endpoint="enabled",
            http_tokens="required",
            http_put_response_hop_limit=1,  # one hop: no container or proxy on the node can ask in its name
            instance_metadata_tags="disabled",
            opts=child,
        )
        ec2.ImageBlockPublicAccess("images", state="block-new-sharing", opts=child)
        ebs.SnapshotBlockPublicAccess("snapshots", state="block-all-sharing", opts=child)
        ssm.ServiceSetting("documents", setting_id=DOCUMENT_SHARING, setting_value="Disable", opts=child)
        # A way into a node past its firewall and its sshd: AWS ships it off, here it is kept off.
        ec2.SerialConsoleAccess("serial-console", enabled=False, opts=child)
        self.register_outputs({})
