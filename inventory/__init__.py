"""Ansible inventory from the region contract: `build` it, or name `inventory/region.py` as the inventory."""

from inventory.build import build, expected_nodes, forwarding

__all__ = ["build", "expected_nodes", "forwarding"]
