"""Every resource is made by the one explicit provider, tied to one account, tagging what it makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from guardrails.model import Bounds, Finding, Guardrail, Planned, configured, listed, of_type

PROVIDER = "pulumi:providers:aws"


def one_provider(resources: Sequence[Planned], bounds: Bounds) -> Iterator[Finding]:
    """Exactly one AWS provider is registered, and it is tied to the stack's account."""
    providers = list(of_type(resources, PROVIDER))
    if len(providers) != 1:
        names = ", ".join(sorted(found["name"] for found in providers)) or "none"
        yield Finding("provider-one", "-", f"AWS providers: {names}", "register one, in __main__.py")
    for found in providers:
        accounts = listed(configured(found["inputs"].get("allowedAccountIds")))
        if accounts != [bounds.account]:
            yield Finding(
                "provider-account",
                found["urn"],
                f"allowedAccountIds is {accounts}",
                f"allow {bounds.account} only, so that wrong credentials stop before anything is made",
            )
        tags = (configured(found["inputs"].get("defaultTags")) or {}).get("tags", {})
        for missing in sorted({"stockade:stack", "stockade:owner"} - set(tags)):
            yield Finding("provider-tags", found["urn"], f"no default tag {missing}", "add it to defaultTags")


def explicit_provider(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """No resource comes from a default provider, whose region and account come from whoever runs the
    program.
    """
    ours = {found["urn"] for found in of_type(resources, PROVIDER)}
    for resource in resources:
        if not resource["type"].startswith("aws:"):
            continue
        # A reference is "<urn>::<id>".
        if resource["provider"].rpartition("::")[0] not in ours:
            yield Finding(
                "provider-explicit",
                resource["urn"],
                f"its provider is {resource['provider'] or 'the default one'!r}",
                "pass the explicit provider down from the parent",
            )


GUARDRAILS: tuple[Guardrail, ...] = (one_provider, explicit_provider)
