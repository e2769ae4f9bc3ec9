"""What AWS offers at the edge, as data with source and date. No Pulumi import: guardrails read it as well."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TlsPolicy:
    """A predefined security policy of Elastic Load Balancing: protocol versions and cipher suites."""

    versions: tuple[str, ...]
    suites: tuple[str, ...]


# Application load balancers take predefined policies only. Until August 2026 each of them that speaks TLS
# 1.3 held TLS_AES_128_GCM_SHA256 as well, so AES-256 alone (row M27) could not be had. Since then there are
# the policies of RFC 9151 (the CNSA suite's profile of TLS), in all commercial regions; the strict ones
# hold AES-256-GCM and nothing else.
# Sources, read 2026-11-22: Elastic Load Balancing, User Guide for Application Load Balancers, "Security
# policies"; AWS What's New, August 2026; suites: RFC 9151 (April 2022), sections 4 and 5, of which these
# policies take those with an ephemeral key exchange. The control reads the suites from the account itself
# (DescribeSSLPolicies), so a policy that AWS fills differently turns it red.
_TLS12 = ("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384")
_TLS13 = ("TLS_AES_256_GCM_SHA384",)
TLS_POLICIES: dict[str, TlsPolicy] = {
    "ELBSecurityPolicy-TLS13-1-3-RFC9151-FIPS-2023-07": TlsPolicy(("TLSv1.3",), _TLS13),
    "ELBSecurityPolicy-TLS13-1-2-RFC9151-FIPS-2023-07": TlsPolicy(("TLSv1.3", "TLSv1.2"), _TLS13 + _TLS12),
}
# Both versions: a customer's client without TLS 1.3 still gets AES-256.
TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-RFC9151-FIPS-2023-07"
# RFC 9151, section 6.1: what a server's certificate is signed with. ACM's names of the algorithms.
CERTIFICATE_KEYS = frozenset({"EC_secp384r1", "RSA_3072", "RSA_4096"})

# Web ACL capacity units, after the AWS WAF Developer Guide, "AWS Managed Rules rule groups list". Written
# from memory on 2026-11-22, the page was not at hand: CheckCapacity of a real account has the last word.
MANAGED_GROUPS: dict[str, int] = {
    "AWSManagedRulesAmazonIpReputationList": 25,
    "AWSManagedRulesAnonymousIpList": 50,
    "AWSManagedRulesKnownBadInputsRuleSet": 200,
    "AWSManagedRulesCommonRuleSet": 700,
    "AWSManagedRulesSQLiRuleSet": 200,
    "AWSManagedRulesLinuxRuleSet": 200,
}
# The rule of the common group that refuses every body beyond what the firewall inspects. A service that
# takes uploads counts it instead (a setting of the load balancer); nothing else is ever counted only.
BODY_RULE = "SizeRestrictions_BODY"

# After the AWS WAF Developer Guide, "AWS WAF quotas" and "Oversize web request components"; from memory too.
MOST_CAPACITY = 5000  # capacity units of a web ACL
CAPACITY_WITHOUT_FEE = 1500  # more costs extra for each million requests
MOST_IP_SETS = 100  # in a region
MOST_ADDRESSES = 10_000  # in an IP set
INSPECTED_BYTES = 8192  # of a body, and of all headers, in front of an application load balancer
WIDEST = {4: 1, 6: 1}  # prefix length of the widest range an IP set takes
# What takes the firewall's log needs a name that begins so ("Logging AWS WAF web ACL traffic").
LOG_PREFIX = "aws-waf-logs-"

# After the User Guide for Application Load Balancers, "Quotas"; from memory as well.
MOST_HOSTS = 5  # condition values of one listener rule
