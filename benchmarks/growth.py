"""How the program's own run grows with the customers: seconds and resources for 1, 2, 4 and 8 of them.

    python -m benchmarks.growth [--stack in-mumbai] [--out docs/generated/growth.md]

A preview without an account: nothing but the program's process, the SDK and the host that answers it. Each
figure stands beside the same run with one customer, because seconds alone say as much about the machine.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import platform
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from twin import program

ROOT = Path(__file__).resolve().parents[1]
CUSTOMERS = (1, 2, 4, 8)
RESOURCES = 300  # what the goal of 6 seconds is stated for


@dataclass(frozen=True)
class Size:
    """One size of the region: how much it holds and the best of a few runs."""

    customers: int
    resources: int
    seconds: float

    @property
    def per_resources(self) -> float:
        """Seconds for 300 resources at this size."""
        return self.seconds * RESOURCES / self.resources


def with_customers(config: Mapping[str, Any], number: int) -> dict[str, Any]:
    """A stack's configuration with that many customers, all alike: a site, a source and a bucket each."""
    wanted = copy.deepcopy(dict(config))
    sites, customers = wanted["stockade:sites"], wanted["stockade:customers"]
    names = [name for name, site in sites.items() if site["kind"] == "customer"]
    like_site = sites[names[0]]
    like = {key: value for key, value in customers[names[0]].items() if key != "deep_archive"}
    for name in names:
        del sites[name]
    customers.clear()
    for index in range(number):
        name, address = f"customer-{chr(ord('a') + index)}", f"198.51.100.{index + 10}"
        own = {"gateway": address, "ranges": [f"192.168.{64 + index}.0/24"]}
        sites[name] = {**like_site, **own, **({"asn": 65100 + index} if "asn" in like_site else {})}
        until = next(iter(like["sources"].values()))["until"]
        source = {"head-office": {"cidr": f"{address}/32", "change": "CHG-1", "until": until}}
        customers[name] = {**like, "site": name, "sources": source}
    return wanted


def measure(stack: str, number: int, runs: int = 3) -> Size:
    """Preview the program with that many customers a few times; the best time is the least disturbed one."""
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    config = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    best, resources = float("inf"), 0
    with tempfile.TemporaryDirectory(prefix="stockade-growth-") as place:
        folder = Path(place)
        (folder / "Pulumi.yaml").write_text(json.dumps({**declared, "main": str(ROOT)}))
        (folder / f"Pulumi.{stack}.yaml").write_text(json.dumps({"config": with_customers(config, number)}))
        for _ in range(runs):
            started = time.monotonic()
            made = program.run(stack, None, "preview", root=folder, build=folder / "build")
            best, resources = min(best, time.monotonic() - started), len(made.steps)
    return Size(number, resources, best)


def table(sizes: list[Size]) -> str:
    """The sizes as Markdown, each beside the smallest."""
    first = sizes[0]
    lines = [
        "| customers | resources | seconds | per 300 resources | beside the first: resources, seconds |",
        "| ---: | ---: | ---: | ---: | --- |",
    ]
    lines += [
        f"| {size.customers} | {size.resources} | {size.seconds:.1f} | {size.per_resources:.1f} "
        f"| {size.resources / first.resources:.2f}, {size.seconds / first.seconds:.2f} |"
        for size in sizes
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack", default="in-mumbai")
    parser.add_argument("--out", type=Path)
    wanted = parser.parse_args()
    text = table([measure(wanted.stack, number) for number in CUSTOMERS])
    machine = f"{os.cpu_count()} cores, Linux {platform.release()}"
    head = f"# Growth of the program\n\n`python -m benchmarks.growth` on {machine}, the best of three.\n\n"
    print(text)
    if wanted.out:
        wanted.out.write_text(head + text)


if __name__ == "__main__":
    main()
