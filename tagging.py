"""Tags of a resource beside the provider's default tags (`stockade:stack`, `stockade:owner`)."""

from __future__ import annotations


def tags(name: str, **facts: str) -> dict[str, str]:
    """`Name` plus `stockade:<fact>` for each fact, e.g. `tags("customer-public-a", tier="public")`."""
    return {"Name": name, **{f"stockade:{fact}": str(value) for fact, value in facts.items()}}
