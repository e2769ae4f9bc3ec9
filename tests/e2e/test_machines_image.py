"""An image build that cannot end well says why and leaves nothing half made."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fault import Fault
from tests.conftest import require_nodes
from twin import machines
from twin.ledger import Ledger
from twin.machines import image
from twin.sweeping import remains, sweep

ROOT = Path(__file__).resolve().parents[2]
NOBODY = ["deb http://127.0.0.1:9/debian bookworm main"]


@pytest.fixture
def home() -> Iterator[Path]:
    require_nodes()
    with machines.passing("image") as path:
        yield path


@pytest.fixture
def cache(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = home / "cache"
    path.mkdir()
    monkeypatch.setenv("STOCKADE_CACHE", str(path))
    return path


def clean(home: Path, cache: Path) -> bool:
    """No image, half an image or process is left, and nothing is mounted."""
    mounted = str(cache) in Path("/proc/mounts").read_text().replace(f" {cache} tmpfs", "")
    running = [thing for thing in remains(Ledger(home)) if thing.startswith(("process", "netns", "control"))]
    return not list(cache.glob("image-*")) and not mounted and not running


def test_a_registry_that_does_not_answer(home: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "mirrors", lambda *_: NOBODY)
    with pytest.raises(Fault, match=r"no packages: .*127.0.0.1"):
        image.build(Ledger(home))
    assert clean(home, cache)


def test_too_little_room_is_seen_before_anything_is_made(
    home: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image, "ROOM", 1 << 60)
    with pytest.raises(Fault, match="MB free in"):
        image.build(Ledger(home))
    assert clean(home, cache)


def test_a_disk_that_fills_up_on_the_way(home: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "ROOM", 0)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(cache)], check=True)
    try:
        with pytest.raises(Fault, match="the disk is full"):
            image.build(Ledger(home))
        assert clean(home, cache)
    finally:
        subprocess.run(["umount", str(cache)], check=True)


BUILD = """
import sys
sys.path.insert(0, {root!r})
from pathlib import Path
from twin.ledger import Ledger
from twin.machines import image
image.build(Ledger(Path({home!r})))
"""


def test_killed_in_the_middle_it_is_no_image_and_the_next_build_starts_afresh(
    home: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = BUILD.format(root=str(ROOT), home=str(home))
    victim = subprocess.Popen([sys.executable, "-c", text], cwd=ROOT, env={**os.environ})
    deadline = time.monotonic() + 300
    while not list(cache.glob("image-*.partial/var/cache/apt/archives")) and time.monotonic() < deadline:
        time.sleep(0.02)
    victim.kill()
    victim.wait()
    assert list(cache.glob("image-*.partial"))
    assert sweep(Ledger(home)) == ["process image"]
    assert not [thing for thing in remains(Ledger(home)) if not thing.startswith("path")]
    assert str(cache) not in Path("/proc/mounts").read_text()
    monkeypatch.setattr(image, "mirrors", lambda *_: NOBODY)
    with pytest.raises(Fault, match="no packages"):
        image.build(Ledger(home))
    assert clean(home, cache)
