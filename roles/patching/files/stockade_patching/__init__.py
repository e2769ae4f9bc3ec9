"""Patching on the node: updates, holds that expire, reboots for a recorded reason, evidence of each run."""
