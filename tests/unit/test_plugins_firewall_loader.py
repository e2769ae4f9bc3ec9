"""Elements of a threat set as nft prints them, and as the loader gives them back."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

LOADER = Path(__file__).resolve().parents[2] / "roles/local_firewall/files/stockade_firewall.py"
spec = importlib.util.spec_from_file_location("stockade_firewall", LOADER)
assert spec is not None
assert spec.loader is not None
loader = importlib.util.module_from_spec(spec)
spec.loader.exec_module(loader)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ({"prefix": {"addr": "198.51.100.0", "len": 24}}, "198.51.100.0/24"),
        ({"range": ["192.0.2.1", "192.0.2.9"]}, "192.0.2.1-192.0.2.9"),
        (
            {"elem": {"val": "192.0.2.7", "timeout": 3600, "expires": 12}},
            "192.0.2.7 timeout 3600s expires 12s",
        ),
        (
            {"elem": {"val": {"prefix": {"addr": "2001:db8::", "len": 64}}, "expires": 5}},
            "2001:db8::/64 expires 5s",
        ),
    ],
)
def test_an_element_keeps_its_range_and_the_time_it_has_left(data, text):
    assert loader.element(data) == text


def test_rules_that_do_not_load_leave_the_old_ones_and_their_digest(tmp_path, monkeypatch, capsys):
    rules, digest = tmp_path / "firewall.nft", tmp_path / "digest"
    rules.write_text("nonsense")
    monkeypatch.setattr(loader, "RULES", str(rules))
    monkeypatch.setattr(loader, "DIGEST", str(digest))
    monkeypatch.setattr(loader, "nft", lambda *_, text=None: (1, "syntax error" if text else ""))
    assert loader.load() == 1
    assert not digest.exists()
    assert "the old rules stand" in capsys.readouterr().err
    assert loader.verify() == 1


def test_a_threat_element_that_does_not_fit_does_not_keep_the_rules_out(tmp_path, monkeypatch):
    rules = tmp_path / "firewall.nft"
    rules.write_text("rules\n")
    monkeypatch.setattr(loader, "RULES", str(rules))
    monkeypatch.setattr(loader, "DIGEST", str(tmp_path / "digest"))
    monkeypatch.setattr(loader, "kept_elements", lambda name: f"add element {name}\n")
    loaded = []

    def nft(*_, text=None):
        if text is None:
            return 0, "listing"
        loaded.append(text)
        return (1, "does not fit") if "add element" in text else (0, "")

    monkeypatch.setattr(loader, "nft", nft)
    assert loader.load() == 0
    assert loaded[-1] == "rules\n"
    assert loader.verify() == 0
