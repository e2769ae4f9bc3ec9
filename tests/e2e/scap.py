"""OpenSCAP judges a node: scanner from the node's own release, content from Debian 13, verdict as data.

The scanner runs inside the node, because only there it sees what is in force: parameters, units, mounts.
(From outside, with OSCAP_PROBE_ROOT, it reads files alone and leaves out every rule about a running system.)
The package linux-base goes with it: by its presence the content tells a machine with a kernel from one
without, and half of the rules are judged on the former only.
"""

from __future__ import annotations

import hashlib
import lzma
import subprocess
import urllib.request
import xml.etree.ElementTree as ET
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from twin.machines import Lone, image

# Debian 13's package; Debian 12 carries 0.1.65, which knows no Debian 12. The hash is that of Debian's index.
PACKAGE = "pool/main/s/scap-security-guide/ssg-debian_0.1.76-1_all.deb"
SHA256 = "f6880719015c16e8e221bc2503c0e5a9f83d6a09fc6f9292d3522e46bf4fc9d7"
CONTENT = "./usr/share/xml/scap/ssg/content/ssg-debian12-ds.xml"
PREFIX = "xccdf_org.ssgproject.content_"
NAMESPACE = "{http://checklists.nist.gov/xccdf/1.2}"
UNJUDGED = {"notapplicable", "notchecked", "notselected", "informational"}
ATTEMPTS, STUCK = 3, ("124", "137")
PROXY = "http://172.30.20.10:3142"


@dataclass(frozen=True)
class Verdict:
    """What one run said: the scanner's score (XCCDF's default model) and a result per rule."""

    score: float
    results: dict[str, str]
    benchmark: ET.Element

    @property
    def failed(self) -> set[str]:
        """Rules that were judged and not passed."""
        return {rule for rule, result in self.results.items() if result not in {"pass", *UNJUDGED}}

    def score_without(self, rules: Collection[str]) -> float:
        """The score by the same model as if these rules had not applied."""
        left = {rule: result for rule, result in self.results.items() if rule not in rules}
        return _score(self.benchmark, left) or 0.0


def content() -> bytes:
    """The datastream, from the mirror that the nodes' image comes from; kept beside the image."""
    package = image.cache() / "scap" / Path(PACKAGE).name
    if not package.exists():
        package.parent.mkdir(parents=True, exist_ok=True)
        sources = [source.split() for source in image.mirrors("trixie")]
        mirror = next(url for _, url, suite, *_ in sources if suite == "trixie")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler(image.proxies()))
        with opener.open(f"{mirror.rstrip('/')}/{PACKAGE}", timeout=60) as answer:
            found = answer.read()
        assert hashlib.sha256(found).hexdigest() == SHA256, "the mirror's package is another one"
        package.write_bytes(found)
    assert hashlib.sha256(package.read_bytes()).hexdigest() == SHA256, f"{package} is not what was fetched"
    files = subprocess.run(["dpkg-deb", "--fsys-tarfile", package], capture_output=True, check=True).stdout
    return subprocess.run(["tar", "-xO", CONTENT], input=files, capture_output=True, check=True).stdout


def prepare(node: Lone) -> None:
    """Install the scanner and bring the content to the node."""
    options = f"-o Acquire::http::Proxy={PROXY} -o DPkg::Options::=--force-confold"
    apt = f"DEBIAN_FRONTEND=noninteractive apt-get {options} -q"
    done = node.sudo(
        f"{apt} update && {apt} -y --no-install-recommends install openscap-scanner linux-base", 180
    )
    assert done.returncode == 0, done.stdout[-800:] + done.stderr[-800:]
    unpack = "import lzma, sys; sys.stdout.buffer.write(lzma.decompress(sys.stdin.buffer.read()))"
    command = f"sudo mkdir -p /run/judge && sudo sh -c 'python3 -c \"{unpack}\" > /run/judge/content.xml'"
    subprocess.run(
        ["ssh", "-F", node.ssh_config, node.name, command],
        input=lzma.compress(content(), preset=1),
        check=True,
        timeout=60,
    )


def judge(node: Lone, profile: str, seconds: int = 240) -> Verdict:
    """Run one profile (minimal, intermediary, enhanced, high) of ANSSI BP-028 and read what it found.

    The scanner's threads at times wait for each other for ever (seen once: all in a futex, no processor used,
    the verdict half written): one that has not ended after `seconds` is ended and asked again.
    """
    wanted = f"--profile {PREFIX}profile_anssi_bp28_{profile} --results /run/judge/results.xml"
    scan = f"timeout --kill-after=10 {seconds} oscap xccdf eval {wanted} content.xml > said 2>&1; echo $?"
    for _ in range(ATTEMPTS):
        ended = node.sudo(f"cd /run/judge && rm -f results.xml && {scan}", seconds + 60).stdout.strip()
        if ended not in STUCK:
            break
    assert ended in ("0", "2"), f"{ended}: {node.sudo('tail -20 /run/judge/said').stdout}"
    tree = ET.fromstring(node.sudo("cat /run/judge/results.xml", 60).stdout)
    (run,) = tree.iter(f"{NAMESPACE}TestResult")
    results = {
        str(found.get("idref")).removeprefix(f"{PREFIX}rule_"): str(found.findtext(f"{NAMESPACE}result"))
        for found in run.findall(f"{NAMESPACE}rule-result")
    }
    return Verdict(float(run.findtext(f"{NAMESPACE}score") or 0), results, tree)


def _score(element: ET.Element, results: dict[str, str]) -> float | None:
    """XCCDF 1.2, 7.3.2 (default model): a group is the weighted mean of what was judged in it."""
    if element.tag == f"{NAMESPACE}Rule":
        result = results.get(str(element.get("id")).removeprefix(f"{PREFIX}rule_"), "notselected")
        return None if result in UNJUDGED else 100.0 * (result == "pass")
    total = weights = 0.0
    for child in element:
        if child.tag not in (f"{NAMESPACE}Group", f"{NAMESPACE}Rule"):
            continue
        score, weight = _score(child, results), float(child.get("weight", "1"))
        if score is not None:
            total, weights = total + score * weight, weights + weight
    return total / weights if weights else None
