"""What AWS removes together with a resource, and moto leaves behind.

EC2 API reference: the primary interface of an instance goes with it (RunInstances, DeleteOnTermination is
true unless said otherwise); a NAT gateway's interface goes with the gateway and its address is released
from it (DeleteNatGateway); a VPC's default network ACL goes with the VPC (DeleteVpc), and a network ACL's
association with the subnet (DeleteSubnet).
"""

from __future__ import annotations

from typing import Any

from moto.ec2.models.nat_gateways import NatGatewayBackend
from moto.ec2.models.subnets import SubnetBackend
from moto.ec2.models.vpcs import VPCBackend
from moto.ec2.responses import EC2Response

from twin.account.extensions.placing import place


def install() -> None:
    """Wrap the four endings."""
    _end_interfaces_with_instances()
    _end_interfaces_with_nat_gateways()
    _end_acls_with_vpcs()
    _end_associations_with_subnets()


def _end_interfaces_with_instances() -> None:
    run = EC2Response.run_instances

    def run_instances(self: Any) -> Any:
        asked = {
            int(nic.get("DeviceIndex", 0)): nic for nic in self._get_param("NetworkInterfaces", []) or []
        }
        answer: Any = run(self)
        for instance in answer.result.instances:
            for index, nic in instance.nics.items():
                wish = asked.get(int(index), {})
                if "NetworkInterfaceId" not in wish:
                    nic.delete_on_termination = wish.get("DeleteOnTermination", True)
        return answer

    place(EC2Response, run_instances=run_instances)


def _end_interfaces_with_nat_gateways() -> None:
    delete = NatGatewayBackend.delete_nat_gateway

    def delete_nat_gateway(self: Any, nat_gateway_id: str) -> Any:
        gateway = delete(self, nat_gateway_id)
        interface = gateway._eni
        for address in list(self.addresses):
            if address.eni is not None and address.eni.id == interface.id:
                address.eni = address.association_id = None
        self.enis.pop(interface.id, None)
        return gateway

    place(NatGatewayBackend, delete_nat_gateway=delete_nat_gateway)


def _end_associations_with_subnets() -> None:
    delete = SubnetBackend.delete_subnet

    def delete_subnet(self: Any, subnet_id: str) -> Any:
        gone = delete(self, subnet_id)
        for acl in self.network_acls.values():
            for key, held in list(acl._associations.items()):
                if held.subnet_id == subnet_id:
                    del acl._associations[key]
        return gone

    place(SubnetBackend, delete_subnet=delete_subnet)


def _end_acls_with_vpcs() -> None:
    delete = VPCBackend.delete_vpc

    def delete_vpc(self: Any, vpc_id: str) -> Any:
        vpc = delete(self, vpc_id)
        for acl in [acl for acl in self.network_acls.values() if acl.vpc_id == vpc_id and acl.default]:
            self.network_acls.pop(acl.id)
        return vpc

    place(VPCBackend, delete_vpc=delete_vpc)
