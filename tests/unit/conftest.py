"""Generated cases are the same in every run, and no clock judges them; STOCKADE_EXPLORE=1 draws new ones."""

from __future__ import annotations

import os

import hypothesis

# Cases that are new in each run are for whoever looks for them, not for one who changed something else.
# How long a case takes says how busy the machine is.
hypothesis.settings.register_profile(
    "stockade",
    derandomize=not os.environ.get("STOCKADE_EXPLORE"),
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("stockade")
