"""The suite that users run against their account: `pytest tests/cloud --region …/region.json`."""

pytest_plugins = ["verify.plugin", "verify.cloud"]
