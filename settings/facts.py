"""Facts that the rules of the settings rest on, each with its source."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network


@dataclass(frozen=True)
class Jurisdiction:
    """A territory whose law binds the data: its AWS regions (code to place), and how long logs are kept."""

    name: str
    regions: dict[str, str]
    log_days: int
    log_source: str


# Places: AWS General Reference, "Regions and Availability Zones"; a unit test compares with botocore's data.
# London (eu-west-2) and Zurich (eu-central-2) carry an eu- prefix but lie outside the European Union.
_IN_INDIA = {"ap-south-1": "Mumbai", "ap-south-2": "Hyderabad"}
_IN_GERMANY = {"eu-central-1": "Frankfurt"}
_IN_THE_UNION = _IN_GERMANY | {
    "eu-west-1": "Ireland",
    "eu-west-3": "Paris",
    "eu-north-1": "Stockholm",
    "eu-south-1": "Milan",
    "eu-south-2": "Spain",
}

# Directions under section 70B(6) of the Information Technology Act, 2000, in force since 28 June 2022.
_CERT_IN = (
    "CERT-In Directions No. 20(3)/2022-CERT-In of 28 April 2022: logs of all ICT systems for a rolling 180 "
    "days, within the Indian jurisdiction"
)
_HOUSE = "this project's floor, the same everywhere so that evidence of two regions compares"

JURISDICTIONS: dict[str, Jurisdiction] = {
    "IN": Jurisdiction("India", _IN_INDIA, 180, _CERT_IN),
    "EU": Jurisdiction("the European Union", _IN_THE_UNION, 180, _HOUSE),
    "DE": Jurisdiction("Germany", _IN_GERMANY, 180, _HOUSE),
}

# CloudWatch Logs accepts these retention periods only.
# Source: Amazon CloudWatch Logs API Reference, PutRetentionPolicy, retentionInDays.
LOG_GROUP_DAYS = (180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)

# Three zones: quorum systems survive the loss of one, and the requirement asks for three.
LEAST_ZONES = 3

# The plan of a VPC: its block is cut into one slot per tier, each slot into one block per zone letter.
# Slots are fixed by name, so that adding or removing a tier or a zone moves nothing. The fourth slot
# holds the subnets of the network firewall, where a VPC has one.
TIER_SLOTS = {"public": 0, "private": 1, "isolated": 2, "firewall": 3}
TIER_BITS = 2
ZONE_LETTERS = "abcdefgh"
ZONE_BITS = 3

# Amazon VPC User Guide, "VPC CIDR blocks" and "Subnet CIDR blocks" (a VPC is /16 to /28, a subnet /28 at
# the smallest, the first four addresses and the last one of a subnet are reserved).
WIDEST_VPC = 16
SMALLEST_SUBNET = 28
SMALLEST_VPC = SMALLEST_SUBNET - TIER_BITS - ZONE_BITS
RESERVED_PER_SUBNET = 5
# Amazon VPC User Guide, "IPv6 VPC CIDR blocks" (read 2026-11): Amazon provides a /56; a subnet takes a /64.
SUBNET6 = 64
# Interface endpoints and load balancers take addresses of the same subnets; this many are kept for them.
KEPT_PER_SUBNET = 8

# Amazon VPC User Guide, "Amazon VPC quotas" (read 2026-11). Security groups: 60 rules inward and 60 outward,
# counted apart for IPv4 and IPv6; a rule that names a group counts in both. Network ACLs: 20 rules one way,
# apart for IPv4 and IPv6, the default deny included. Both can be raised on request, at a price in speed;
# the program keeps to what every account has.
MOST_GROUP_RULES, MOST_ACL_RULES = 60, 20

# Elastic Load Balancing User Guide, "Application Load Balancers", subnets: /27 at the smallest, with eight
# free addresses. Read 2026-11.
SMALLEST_BALANCED = 27

# Domains under which anybody can have a name of their own. Providers' own documentation of host names; all
# are in the private part of the Public Suffix List (publicsuffix.org), read 2026-11.
SHARED_DOMAINS = (
    *("amazonaws.com", "cloudfront.net", "elasticbeanstalk.com", "on.aws", "azurewebsites.net"),
    *("blob.core.windows.net", "cloudapp.net", "azureedge.net", "googleapis.com", "appspot.com", "web.app"),
    *(
        "run.app",
        "github.io",
        "githubusercontent.com",
        "workers.dev",
        "pages.dev",
        "netlify.app",
        "vercel.app",
    ),
    *("herokuapp.com", "duckdns.org", "ngrok.io", "ngrok-free.app"),
)

# RFC 1918 section 3; RFC 6598 (shared address space).
PRIVATE_V4 = tuple(IPv4Network(n) for n in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"))

# The widest range a site may declare, by kind, as prefix lengths (IPv4, IPv6): administration comes from
# few places.
WIDEST_RANGE = {"noc": (16, 32), "service_centre": (16, 32), "customer": (8, 32)}

# Amazon EC2 User Guide, "Run commands when you launch an EC2 instance with user data input": 16 KB, before
# base64.
USER_DATA_BYTES = 16384
# What first boot says beside the keys stays below this.
KEPT_FOR_FIRST_BOOT = 2048

ADMIN_PORT = 22
# Ports of administration; never from the internet or from a customer's site.
ADMIN_PORTS = {22: "ssh", 3389: "RDP", 5985: "WinRM", 5986: "WinRM over TLS"}
TIME_PORT = 123

# AWS Site-to-Site VPN User Guide, "Customer gateway options": 7224 in every region, the others in some; 64512
# is Amazon's side of ours (network/vpn.py).
AMAZON_ASNS = frozenset({64512, 7224, 9059, 10124, 17943})
