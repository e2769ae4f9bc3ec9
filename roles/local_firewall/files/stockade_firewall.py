#!/usr/bin/python3
"""Loads the node's packet filter: `stockade-firewall load`, and tells whether it is in force: `verify`.

One nft transaction replaces the table `inet stockade`: there is no moment without rules, and a mistake
anywhere leaves the old rules standing. Elements of the threat sets go along with the time they have left.
Other tables are not touched. What was loaded is remembered as a digest in /run, with which `verify` compares
the kernel.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from typing import Any

RULES = "/etc/stockade/firewall.nft"
DIGEST = "/run/stockade-firewall.sha256"
THREATS = ("threats4", "threats6")


def nft(*arguments: str, text: str | None = None) -> tuple[int, str]:
    """Run nft; (return code, output)."""
    done = subprocess.run(
        ["/usr/sbin/nft", *arguments],
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


def value(data: Any) -> str:
    """An element's value as nft writes it: address, prefix or range."""
    if isinstance(data, dict) and "prefix" in data:
        return f"{data['prefix']['addr']}/{data['prefix']['len']}"
    if isinstance(data, dict) and "range" in data:
        return "-".join(data["range"])
    return str(data)


def element(data: Any) -> str:
    """One element with its own lifetime and what is left of it."""
    if not isinstance(data, dict) or "elem" not in data:
        return value(data)
    inner = data["elem"]
    times = "".join(f" {k} {inner[k]}s" for k in ("timeout", "expires") if inner.get(k))
    return value(inner["val"]) + times


def kept_elements(name: str) -> str:
    """The `add element` line that brings a threat set's present elements back; empty when there are none."""
    code, said = nft("-j", "list", "set", "inet", "stockade", name)
    if code != 0:
        return ""
    sets = [item["set"] for item in json.loads(said)["nftables"] if "set" in item]
    elements = [element(data) for one in sets for data in one.get("elem", [])]
    return f"add element inet stockade {name} {{ {', '.join(elements)} }}\n" if elements else ""


def digest() -> str:
    """A digest of the rules in the kernel, without counters and set elements; empty without the table."""
    code, said = nft("--stateless", "--terse", "list", "table", "inet", "stockade")
    return hashlib.sha256(said.encode()).hexdigest() if code == 0 else ""


def load() -> int:
    """Replace the table; nft's return code."""
    with open(RULES, encoding="utf-8") as file:
        rules = file.read()
    code, said = nft("-f", "-", text=rules + "".join(kept_elements(name) for name in THREATS))
    if code != 0:
        # An element that does not fit the new set must not keep the rules from being loaded.
        print(f"stockade-firewall: threat sets start empty: {said}", file=sys.stderr)
        code, said = nft("-f", "-", text=rules)
    if code != 0:
        print(f"stockade-firewall: {RULES} was not loaded, the old rules stand: {said}", file=sys.stderr)
        return code
    with open(f"{DIGEST}.new", "w", encoding="utf-8") as file:
        file.write(digest())
    os.replace(f"{DIGEST}.new", DIGEST)
    return 0


def verify() -> int:
    """0 when the kernel has exactly the rules that were loaded last, otherwise 1 and a line."""
    try:
        with open(DIGEST, encoding="utf-8") as file:
            loaded = file.read()
    except FileNotFoundError:
        loaded = ""
    if loaded and loaded == digest():
        print("in force")
        return 0
    print("the rules in the kernel are not the ones that were loaded; run: stockade-firewall load")
    return 1


if __name__ == "__main__":
    verbs = {"load": load, "verify": verify}
    if sys.argv[1:] not in (["load"], ["verify"]):
        sys.exit("usage: stockade-firewall load | verify")
    sys.exit(verbs[sys.argv[1]]())
