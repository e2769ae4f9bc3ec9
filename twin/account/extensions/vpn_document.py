"""The XML document of a VPN connection that AWS gives for the customer's side, made from its real options."""

from __future__ import annotations

import ipaddress
from typing import Any
from xml.etree import ElementTree as Xml

# What AWS uses for an option that was not set ("Tunnel options for your Site-to-Site VPN connection").
_PHASE1 = {"lifetime": 28800, "encryption": "AES128", "integrity": "SHA1", "group": 2}
_PHASE2 = {"lifetime": 3600, "encryption": "AES128", "integrity": "SHA1", "group": 2}
_IKE = {"AES128": "aes-128-cbc", "AES256": "aes-256-cbc", "AES128-GCM-16": "aes-128-gcm-16"}
_IKE["AES256-GCM-16"] = "aes-256-gcm-16"


def customer_configuration(connection: Any) -> str:
    """CustomerGatewayConfiguration. A key that lives in Secrets Manager does not appear in it."""
    root = Xml.Element("vpn_connection", id=connection.id)
    _text(root, "customer_gateway_id", connection.customer_gateway_id)
    _text(root, "vpn_gateway_id", connection.vpn_gateway_id or "")
    _text(root, "vpn_connection_type", connection.type)
    backend = connection.ec2_backend
    customer = backend.get_customer_gateway(connection.customer_gateway_id)
    vgw = backend.vpn_gateways.get(connection.vpn_gateway_id)
    asn = getattr(vgw, "amazon_side_asn", None) or 64512
    for tunnel in (connection.options or {}).get("TunnelOptions", []):
        _tunnel(root, tunnel, customer, asn)
    return Xml.tostring(root, encoding="unicode")


def _tunnel(root: Xml.Element, tunnel: dict[str, Any], customer: Any, asn: Any) -> None:
    inside = ipaddress.ip_network(tunnel["TunnelInsideCidr"])
    element = Xml.SubElement(root, "ipsec_tunnel")
    ends = (
        ("customer_gateway", customer.ip_address, inside[2], customer.bgp_asn),
        ("vpn_gateway", tunnel["OutsideIpAddress"], inside[1], asn),
    )
    for name, outside, address, number in ends:
        end = Xml.SubElement(element, name)
        _text(Xml.SubElement(end, "tunnel_outside_address"), "ip_address", outside)
        within = Xml.SubElement(end, "tunnel_inside_address")
        _text(within, "ip_address", address)
        _text(within, "network_mask", inside.netmask)
        _text(within, "network_cidr", inside.prefixlen)
        _text(Xml.SubElement(end, "bgp"), "asn", number)
    ike = Xml.SubElement(element, "ike")
    _phase(ike, tunnel, "Phase1", _PHASE1)
    if "PreSharedKey" in tunnel:
        _text(ike, "pre_shared_key", tunnel["PreSharedKey"])
    ipsec = Xml.SubElement(element, "ipsec")
    _text(ipsec, "protocol", "esp")
    _phase(ipsec, tunnel, "Phase2", _PHASE2)


def _phase(element: Xml.Element, tunnel: dict[str, Any], phase: str, defaults: dict[str, Any]) -> None:
    encryption = _first(tunnel, f"{phase}EncryptionAlgorithms", defaults["encryption"])
    _text(
        element,
        "authentication_protocol",
        _first(tunnel, f"{phase}IntegrityAlgorithms", defaults["integrity"]).lower(),
    )
    _text(element, "encryption_protocol", _IKE.get(encryption, encryption.lower()))
    _text(element, "lifetime", tunnel.get(f"{phase}LifetimeSeconds", defaults["lifetime"]))
    group = _first(tunnel, f"{phase}DHGroupNumbers", defaults["group"])
    _text(element, "perfect_forward_secrecy", f"group{group}")


def _first(tunnel: dict[str, Any], option: str, default: Any) -> str:
    values = tunnel.get(option) or []
    return str(values[0]["Value"] if values else default)


def _text(parent: Xml.Element, name: str, value: Any) -> None:
    Xml.SubElement(parent, name).text = str(value)
