"""What a VPC's network firewall lets pass, from the firewall intent: pure text in Suricata's language.

Rules are judged in the order in which they stand (strict order); what none of them passes is dropped by the
policy. A connection is passed both ways, an outgoing TLS connection by the name it asks for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from network.intent import FACING, Flow, Intent

FIRST_SID = 1_000_001  # below a million: reserved for the rules of others (Suricata, "Rules Format", sid)


def inspection_rules(intent: Intent, vpc: str, allowed_domains: Sequence[str]) -> list[str]:
    """Pass rules of one VPC; empty when the intent lets nothing pass to or from the internet."""
    heads = dict.fromkeys(
        head
        for flow in intent.flows
        for head in (*_inbound(flow, vpc), *_outbound(flow, vpc, allowed_domains))
    )
    return [f"{head} sid:{FIRST_SID + index}; rev:1;)" for index, head in enumerate(heads)]


def _inbound(flow: Flow, vpc: str) -> Iterator[str]:
    """From the internet to what stands in this VPC: from everybody, or from a customer's bound sources."""
    if flow.source.kind not in FACING or flow.target.vpc != vpc:
        return
    blocks = ",".join(str(n) for n in flow.target.networks if n.version == 4)
    callers = ",".join(str(n) for n in flow.source.networks if n.version == 4)
    if flow.source.kind == "source" and not callers:
        return  # by IPv6 only, which never passes the firewall's subnets
    who = f"[{callers}]" if flow.source.kind == "source" else "any"
    yield f"pass {flow.protocol} {who} any <> [{blocks}] {flow.port} (msg:{_words(flow.why)};"


def _outbound(flow: Flow, vpc: str, allowed_domains: Sequence[str]) -> Iterator[str]:
    """To the internet. Behind a NAT gateway every source is one of the VPC's addresses ($HOME_NET)."""
    if flow.target.kind != "internet" or flow.source.vpc != vpc:
        return
    if flow.protocol == "udp":
        yield f"pass udp $HOME_NET any <> any {flow.port} (msg:{_words(flow.why)};"
        return
    for domain in allowed_domains:
        yield (
            f"pass tls $HOME_NET any -> any {flow.port} ({_asked_for(domain)} "
            f"flow:to_server,established; msg:{_words(flow.why)};"
        )


def _asked_for(domain: str) -> str:
    """The name in the TLS handshake (SNI): a whole one, or any below a domain."""
    if domain.startswith("*."):
        return f'tls.sni; dotprefix; content:"{domain[1:]}"; nocase; endswith;'
    return f'tls.sni; content:"{domain}"; startswith; nocase; endswith;'


def _words(why: str) -> str:
    """The reason as a quoted text; what would end it is left out."""
    return json.dumps("".join(c for c in why if c.isascii() and c not in '";\\')).strip()
