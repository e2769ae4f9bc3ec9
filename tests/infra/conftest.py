"""What the SDK itself warns about on every run would hide what our own code is warned about."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    # Importing one class of a service loads its deprecated ones too.
    config.addinivalue_line("filterwarnings", r"ignore::DeprecationWarning:pulumi_aws\..*")
