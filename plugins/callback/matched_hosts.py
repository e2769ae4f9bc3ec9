"""Callback: a play that matches no host ends red.

A typo in a group or in --limit must not look like a hardened fleet. Ansible itself prints
"skipping: no hosts matched" and exits 0 when the limit leaves hosts elsewhere in the inventory.
"""

from __future__ import annotations

import sys

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: matched_hosts
type: aggregate
short_description: A play that matches no host ends with exit code 2
description: [A typo in a group or in a limit must not look like a hardened fleet.]
"""


class CallbackModule(CallbackBase):
    """Ends the run when a play has nobody to work on."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "matched_hosts"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_no_hosts_matched(self) -> None:
        """No host: nothing was done, and that is no success."""
        self._display.error(
            "no host matched this play; nothing was checked or changed; "
            "compare the group and --limit with `ansible-inventory --graph`"
        )
        sys.exit(2)
