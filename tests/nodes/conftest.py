"""The suite that users run against their nodes: `pytest tests/nodes --region …/region.json --inventory …`."""

pytest_plugins = ["verify.plugin"]
