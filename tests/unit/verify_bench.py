"""A tiny stack whose nodes are local shells, its catalogue, its suite, and a run of the verifier over it."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ansible.inventory.manager
import ansible.template
import ansible.vars.manager  # noqa: F401
import pytest
import yaml

import verify.plugin  # noqa: F401 - loaded before pytester remembers what is loaded: each run would import it again
from controls.model import AREAS

ROOT = Path(__file__).resolve().parents[2]
GOOD = """
    @pytest.mark.control("STK-SSH-001")
    def test_good(host):
        assert host.run("echo good").stdout == "good\\n"
"""


@dataclass
class Bench:
    """A tiny stack with nodes that are local shells, its catalogue, its suite, and a run over it."""

    pytester: pytest.Pytester
    nodes: list[tuple[str, str]] = field(default_factory=lambda: [("edge-a-1", "edge"), ("app-a-1", "app")])
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    controls: dict[str, list[str]] = field(default_factory=lambda: {"STK-SSH-001": ["nodes"]})
    verified_by: dict[str, list[str]] = field(default_factory=dict)
    waivers: list[dict[str, Any]] = field(default_factory=list)
    results: dict[str, Any] = field(default_factory=dict)

    def run(
        self,
        tests: str,
        *arguments: str,
        fork: bool = False,
        region: bool = True,
        inventory: Path | None = None,
    ) -> pytest.RunResult:
        """One run; `fork` in a process of its own with workers, `region` with the contract."""
        home = self.pytester.path
        (home / "conftest.py").write_text('pytest_plugins = ["verify.plugin"]\n')
        (home / "suite").mkdir(exist_ok=True)
        (home / "suite" / "test_it.py").write_text("import os, pytest\n" + textwrap.dedent(tests))
        self._write_contract(home)
        self._write_catalogue(home)
        out = home / "results.json"
        files = ["--region", str(home / "region.json")] if region else []
        files += ["--inventory", str(inventory or home / "inventory.yml")]
        files += ["--controls", str(home), "--results", str(out)]
        given = [*files, *arguments, *([] if fork else ["--at-once", "0"])]
        given += [] if any(Path(a).exists() for a in arguments) else [str(home / "suite")]
        run = self.pytester.runpytest_subprocess if fork else self.pytester.runpytest_inprocess
        # hypothesis would load itself for the summary of every inner run
        result = run("-p", "no:cacheprovider", "-p", "no:hypothesispytest", *given)
        self.results = json.loads(out.read_text()) if out.exists() else {}
        return result

    def statuses(self, node: str | None = None) -> list[str]:
        return [r["status"] for r in self.results["results"] if node in (None, r["subject"])]

    def faults(self) -> str:
        return "\n".join(self.results["faults"])

    def _write_contract(self, home: Path) -> None:
        nodes = [{"name": name, "role": role, "address": "127.0.0.1"} for name, role in self.nodes]
        contract = {
            "schema": "stockade/region/1",
            "stack": "t",
            "region": "ap-south-1",
            "account": "111122223333",
        }
        (home / "region.json").write_text(json.dumps({**contract, "vpcs": {}, "nodes": nodes}))
        local = {"ansible_connection": "local", "ansible_python_interpreter": "python3"}
        hosts = {
            name: {**local, **self.hosts.get(name, {})}
            for name in {n for n, _ in self.nodes} | set(self.hosts)
        }
        hosts = {name: values for name, values in hosts.items() if not values.pop("left_out", False)}
        (home / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))

    def _write_catalogue(self, home: Path) -> None:
        for name, applies in self.controls.items():
            area = "node" if name.split("-")[1] in AREAS["node"] else "region"
            folder = home / "controls" / "catalogue" / area
            folder.mkdir(parents=True, exist_ok=True)
            text = {"id": name, "title": "A state that holds", "why": "Otherwise something goes very wrong."}
            rest = {
                "severity": "low",
                "layer": "os",
                "applies_to": applies,
                "rows": ["M5"],
                "provided_by": "roles/x",
                "evidence": "what the test reads",
                "rollback": "undone by hand, at a cost",
                "verified_by": self.verified_by.get(name, []),
            }
            (folder / f"{name}.yaml").write_text(yaml.safe_dump({**text, **rest}))
        (home / "controls" / "waivers").mkdir(exist_ok=True)
        for number, waiver in enumerate(self.waivers):
            (home / "controls" / "waivers" / f"{number}.yaml").write_text(yaml.safe_dump(waiver))


@pytest.fixture
def bench(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    return Bench(pytester)


def hostile(bench: Bench, name: str, body: str) -> dict[str, Any]:
    """Host variables of a node whose Python is this shell script."""
    script = bench.pytester.path / f"{name}.sh"
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(0o755)
    return {"ansible_python_interpreter": str(script)}
