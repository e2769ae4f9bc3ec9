"""The suite that judges what is done beside the region: `pytest tests/procedures --region …`."""

pytest_plugins = ["verify.plugin", "verify.procedures"]
