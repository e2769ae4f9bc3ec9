"""What both tunnels of every connection negotiate, and nothing else. Data only.

Pinned, because what AWS offers by default includes IKEv1, AES-128, SHA-1 and DH group 2 (AWS Site-to-Site VPN
User Guide, "Tunnel options for your Site-to-Site VPN connection"; the bounds in the remarks are its own).
"""

from __future__ import annotations

from typing import Any

TUNNEL: dict[str, Any] = {
    "ike_versions": ["ikev2"],
    "phase1_encryption_algorithms": ["AES256-GCM-16"],
    "phase1_integrity_algorithms": ["SHA2-384", "SHA2-512"],  # the pseudo-random function under GCM
    "phase1_dh_group_numbers": [19, 20, 21],  # NIST P-256, P-384, P-521
    "phase1_lifetime_seconds": 28800,  # 900 to 28800
    "phase2_encryption_algorithms": ["AES256-GCM-16"],
    "phase2_integrity_algorithms": ["SHA2-384", "SHA2-512"],
    "phase2_dh_group_numbers": [19, 20, 21],  # perfect forward secrecy with the same strength
    "phase2_lifetime_seconds": 3600,  # 900 to 3600, below phase 1
    "rekey_margin_time_seconds": 540,  # 60 to half of phase 2; with the fuzz, 540 to 1080 before the end
    "rekey_fuzz_percentage": 100,
    "replay_window_size": 1024,  # 64 to 2048
    "dpd_timeout_seconds": 30,  # the least there is
    "dpd_timeout_action": "restart",
    "startup_action": "start",  # Amazon initiates, so a restarted site needs nobody
    "enable_tunnel_lifecycle_control": True,  # we choose when an endpoint is replaced
}
