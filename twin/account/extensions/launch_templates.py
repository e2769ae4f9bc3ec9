"""A launch template's own tags are not part of its data.

EC2 API reference, CreateLaunchTemplate: TagSpecifications beside LaunchTemplateData tags the template;
those inside the data tag what is launched. moto adds the former to the latter.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.responses import EC2Response

from twin.account.extensions.placing import place


def install() -> None:
    """Take the template's own tags out of its data after creation."""
    create = EC2Response.create_launch_template

    def create_launch_template(self: Any) -> Any:
        inside = list((self._get_param("LaunchTemplateData", {}) or {}).get("TagSpecifications") or [])
        answer: Any = create(self)
        identity = answer.result["LaunchTemplate"]["LaunchTemplateId"]
        data = self.ec2_backend.get_launch_template(identity).versions[0].data
        if inside:
            data["TagSpecifications"] = inside
        else:
            data.pop("TagSpecifications", None)
        return answer

    place(EC2Response, create_launch_template=create_launch_template)
