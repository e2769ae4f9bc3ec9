"""What the image is made from, and what a person is told when it cannot be made. Needs no root."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fault import Fault
from twin.machines import fleet, image


def apt_says(monkeypatch: pytest.MonkeyPatch, output: str) -> None:
    done = subprocess.CompletedProcess([], 0, output, "")
    monkeypatch.setattr(subprocess, "run", lambda *_a, **_k: done)


def test_mirrors_are_the_machines_own_and_nothing_else_is(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        "http://one.example/debian/|bookworm|main",
        "http://one.example/debian/|bookworm|main",
        "http://one.example/debian/|bookworm|contrib",
        "https://two.example/debian-security/|bookworm-security|main",
        "https://three.example/apt|cloud-sdk-bookworm|main",
        "http://four.example/debian/|trixie|main",
        "cdrom://disc/|bookworm|main",
    ]
    apt_says(monkeypatch, "\n".join(lines))
    assert image.mirrors() == [
        "deb http://one.example/debian/ bookworm main",
        "deb https://two.example/debian-security/ bookworm-security main",
    ]


def test_the_other_release_comes_from_the_same_mirrors(monkeypatch: pytest.MonkeyPatch) -> None:
    apt_says(
        monkeypatch, "http://one.example/debian/|bookworm|main\nhttp://s.example/|bookworm-security|main\n"
    )
    assert image.mirrors("trixie") == [
        "deb http://one.example/debian/ trixie main",
        "deb http://s.example/ trixie-security main",
    ]


def test_a_machine_without_a_debian_source_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    apt_says(monkeypatch, "http://four.example/ubuntu/|noble|main\n")
    with pytest.raises(Fault, match="apt knows no bookworm source"):
        image.mirrors()


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("E: Write error - write (28: No space left on device)", "the disk is full"),
        (
            "Err:1 http://m.example bookworm InRelease\n  Temporary failure resolving 'm.example'",
            "no packages",
        ),
        ("E: Failed to fetch http://m.example/x.deb  404  Not Found", "no packages: E: Failed to fetch"),
        ("W: odd\nE: setup failed: E: something else", "mmdebstrap failed: E: setup failed"),
        ("", "mmdebstrap failed: no message"),
    ],
)
def test_a_failed_build_is_one_clear_line(output: str, told: str, tmp_path: Path) -> None:
    fault = image.explain(output, tmp_path / "image.log")
    assert fault.problem.startswith(told)
    assert "\n" not in str(fault)
    assert "region half" in fault.fix


def test_another_definition_is_another_image() -> None:
    sources = ["deb http://one.example/debian/ bookworm main"]
    first = image.definition(sources, [])
    assert image.definition(sources, []) == first
    assert image.definition(sources, ["qemu-guest-agent"]) != first
    assert image.definition(["deb http://two.example/debian/ bookworm main"], []) != first


def test_the_cache_can_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STOCKADE_CACHE", str(tmp_path / "mine"))
    assert image.cache() == tmp_path / "mine"
    monkeypatch.delenv("STOCKADE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert image.cache() == tmp_path / "stockade"


def test_without_root_the_obstacle_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert fleet.obstacle() == "booting nodes needs root"
    with pytest.raises(Fault, match="booting nodes needs root"):
        fleet.up({})


def test_missing_tools_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    reason = fleet.obstacle()
    assert reason is not None
    assert reason.startswith("systemd-nspawn, mmdebstrap, nft, ip,")
