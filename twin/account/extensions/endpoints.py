"""VPC endpoints: DNS options and address type are kept; private DNS can be changed.

EC2 API reference, CreateVpcEndpoint, ModifyVpcEndpoint and VpcEndpoint: DnsOptions, IpAddressType,
PrivateDnsEnabled.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.responses import EC2Response

from twin.account.extensions.placing import place


def install() -> None:
    """Wrap creation and change."""
    create, modify = EC2Response.create_vpc_endpoint, EC2Response.modify_vpc_endpoint

    def create_vpc_endpoint(self: Any) -> Any:
        answer: Any = create(self)
        endpoint = answer.result["VpcEndpoint"]
        endpoint.dns_options = dict(self._get_param("DnsOptions", {}) or {})
        endpoint.ip_address_type = self._get_param("IpAddressType") or "ipv4"
        return answer

    def modify_vpc_endpoint(self: Any) -> Any:
        answer = modify(self)
        endpoint = self.ec2_backend.describe_vpc_endpoints([self._get_param("VpcEndpointId")])[0]
        endpoint.dns_options = {**endpoint.dns_options, **(self._get_param("DnsOptions", {}) or {})}
        endpoint.ip_address_type = self._get_param("IpAddressType") or endpoint.ip_address_type
        private = self._get_param("PrivateDnsEnabled")
        if private is not None:
            endpoint.private_dns_enabled = private
        return answer

    place(EC2Response, create_vpc_endpoint=create_vpc_endpoint)
    place(EC2Response, modify_vpc_endpoint=modify_vpc_endpoint)
