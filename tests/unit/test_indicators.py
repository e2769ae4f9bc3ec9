"""Threat intelligence: which indicators count today, in which order, merged; feeds; and never ourselves."""

from __future__ import annotations

from datetime import date, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as some

import settings
from detection.feeds import command, read
from detection.indicators import hostile, listing, ranked
from fault import GOOD, WRONG_USE, Fault
from settings.problems import SettingsError
from settings.watch import Detection, Indicator
from tests.unit.settings_sample import put, raw

TODAY = date(2026, 11, 22)


def indicator(
    cidr: str, added: str = "2026-11-01", until: str = "2027-01-31", source: str = "a feed"
) -> Indicator:
    return Indicator.model_validate({"cidr": cidr, "source": source, "added": added, "until": until})


def test_the_named_day_still_counts_and_the_next_does_not() -> None:
    one = {"a": indicator("192.0.2.7/32", until="2026-11-22")}
    assert [r.name for r in ranked(one, TODAY)] == ["a"]
    assert ranked(one, TODAY + timedelta(days=1)) == []


def test_what_begins_tomorrow_does_not_count_today() -> None:
    assert ranked({"a": indicator("192.0.2.7/32", added="2026-11-23")}, TODAY) == []


def test_the_newest_and_then_the_narrowest_comes_first() -> None:
    known = {
        "old": indicator("192.0.2.7/32", added="2026-10-01"),
        "wide": indicator("198.51.100.0/24"),
        "narrow": indicator("203.0.113.9/32"),
    }
    assert [r.name for r in ranked(known, TODAY)] == ["narrow", "wide", "old"]


@pytest.mark.parametrize(
    ("older", "newer", "speaks"),
    [
        ("192.0.2.0/24", "192.0.2.0/24", ["newer"]),
        ("192.0.2.7/32", "192.0.2.0/24", ["newer"]),  # the newer one covers it
        ("192.0.2.0/24", "192.0.2.7/32", ["newer", "older"]),  # the older one says more
    ],
)
def test_of_overlapping_ranges_the_newest_source_speaks(older: str, newer: str, speaks: list[str]) -> None:
    known = {"older": indicator(older, added="2026-10-01"), "newer": indicator(newer, added="2026-11-01")}
    assert [r.name for r in ranked(known, TODAY)] == speaks


def test_ranges_are_merged_and_sorted_and_families_stay_apart() -> None:
    known = {
        "a": indicator("192.0.2.128/25"),
        "b": indicator("192.0.2.0/25"),
        "c": indicator("192.0.2.7/32", added="2026-11-09"),
        "d": indicator("2001:db8::/64"),
        "e": indicator("9.9.9.9/32"),
    }
    assert hostile(known, TODAY, 4) == ["9.9.9.9/32", "192.0.2.0/24"]
    assert hostile(known, TODAY, 6) == ["2001:db8::/64"]


def test_of_more_than_a_service_takes_the_best_ranked_stay() -> None:
    known = {f"n{i}": indicator(f"192.0.2.{2 * i}/32", added=f"2026-11-{i + 1:02}") for i in range(6)}
    assert hostile(known, TODAY, 4, most=2) == ["192.0.2.8/32", "192.0.2.10/32"]


ADDRESSES = some.ip_addresses(v=4).map(lambda a: f"{a}/32")


@given(some.lists(some.tuples(ADDRESSES, some.integers(0, 400), some.integers(0, 400)), max_size=30))
def test_what_is_merged_covers_exactly_what_counts(made: list[tuple[str, int, int]]) -> None:
    known = {
        f"i{n}": Indicator(
            cidr=ip_network(cidr),
            source="feed",
            added=str(TODAY - timedelta(days=before)),  # type: ignore[arg-type]
            until=str(TODAY - timedelta(days=200) + timedelta(days=after)),  # type: ignore[arg-type]
        )
        for n, (cidr, before, after) in enumerate(made)
    }
    alive = {str(k.cidr) for k in known.values() if k.added <= TODAY <= k.until}
    merged = [ip_network(text) for text in hostile(known, TODAY, 4)]
    assert {str(address) + "/32" for network in merged for address in network} == alive
    assert all(not a.overlaps(b) for a in merged for b in merged if a is not b)


def test_a_list_is_named_by_what_is_in_it_and_the_order_does_not_matter() -> None:
    one, other = (
        listing("threat", ["192.0.2.7/32", "9.9.9.9/32"]),
        listing("threat", ["9.9.9.9/32", "192.0.2.7/32"]),
    )
    assert one == other
    assert one is not None and one.content == "9.9.9.9/32\n192.0.2.7/32\n"
    changed = listing("threat", ["9.9.9.9/32"])
    assert changed is not None and changed.key != one.key


def test_an_empty_list_is_none_since_guardduty_takes_none() -> None:
    assert listing("threat", []) is None


# ---------------------------------------------------------------------- feeds
def test_a_plain_list_with_comments_and_defanged_addresses() -> None:
    found, bad = read(
        "feed.txt", "# a feed\n192.0.2.7\n192[.]0[.]2[.]8   # seen twice\n\n203.0.113.0/28,\n2001:db8::1\n"
    )
    assert [str(n) for n in found] == ["192.0.2.7/32", "192.0.2.8/32", "203.0.113.0/28", "2001:db8::1/128"]
    assert bad == []


def test_csv_is_read_by_its_header() -> None:
    found, bad = read("feed.csv", 'seen,"ip",score\n2026-11-01,192.0.2.7,90\n2026-11-02,"192.0.2.9",80\n')
    assert ([str(n) for n in found], bad) == (["192.0.2.7/32", "192.0.2.9/32"], [])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("evil.example", "does not appear to be an IPv4 or IPv6 network"),
        ("192.0.2.7/24", "has host bits set"),
        ("10.0.0.0/8", "a private range (10.0.0.0/8) is nobody on the internet"),
        ("0.0.0.0/0", "is nobody on the internet"),
        ("127.0.0.1", "loopback"),
        ("fe80::1", "link-local"),
        ("192.0.2.999", "does not appear"),
    ],
)
def test_each_bad_line_is_named_with_its_number(line: str, reason: str) -> None:
    found, (bad,) = read("feed.txt", f"192.0.2.7\n{line}\n")
    assert [str(n) for n in found] == ["192.0.2.7/32"]
    assert str(bad).startswith("feed.txt:2: ") and reason in str(bad)


def test_the_command_prints_what_the_stack_file_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    feed = tmp_path / "feed.txt"
    feed.write_text("192.0.2.70\n192.0.2.71\n")
    assert command([str(feed), "--source", "advisory 7", "--days", "30"], TODAY) == GOOD
    part = yaml.safe_load(capsys.readouterr().out)["stockade:detection"]
    (one,) = Detection.model_validate(part).indicators.values()
    assert (str(one.cidr), one.source, one.added, one.until) == (
        "192.0.2.70/31",
        "advisory 7",
        TODAY,
        date(2026, 12, 22),
    )
    data = put(raw(), "detection", part)
    assert settings.parse(data).detection.indicators


def test_the_command_names_bad_lines_and_is_red(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    feed = tmp_path / "feed.txt"
    feed.write_text("192.0.2.70\nnobody\n10.1.2.3\n")
    assert command([str(feed), "--source", "advisory 7"], TODAY) == WRONG_USE
    said = capsys.readouterr()
    assert [line.split(":")[2] for line in said.err.splitlines()] == ["2", "3"]
    assert "192.0.2.70/32" in said.out


def test_an_empty_feed_is_a_fault(tmp_path: Path) -> None:
    feed = tmp_path / "feed.txt"
    feed.write_text("# nothing today\n")
    with pytest.raises(Fault, match="an empty feed is a feed that failed"):
        command([str(feed), "--source", "advisory 7"], TODAY)


# ---------------------------------------------------------------------- settings
GOOD_ONE = {"cidr": "192.0.2.7/32", "source": "advisory 7", "added": "2026-11-01", "until": "2027-01-31"}


def test_an_indicator_of_the_internet_is_sound() -> None:
    settings.parse(put(raw(), "detection", {"indicators": {"one": GOOD_ONE}}))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"cidr": "10.20.3.0/24"}, "overlaps a private range"),
        ({"cidr": "100.64.7.0/24"}, "overlaps a private range"),
        ({"cidr": "8.0.0.0/7"}, "a /16 or narrower"),
        ({"cidr": "8.8.0.0/15"}, "a /16 or narrower"),
        ({"cidr": "2a00::/16"}, "a /32 or narrower"),
        ({"cidr": "127.0.0.0/8"}, "loopback"),
        ({"cidr": "fe80::/64"}, "link-local"),
        ({"cidr": "203.0.113.10/32"}, "overlaps sites.noc-mumbai.gateway"),
        ({"cidr": "203.0.113.0/24"}, "overlaps access.trusted_ranges.noc"),
        ({"cidr": "198.51.100.10/32"}, "overlaps customers.acme-bank.sources.head-office"),
        ({"until": "2026-10-31"}, "ends after it was added"),
    ],
)
def test_an_indicator_that_would_hit_ourselves_or_half_the_world_is_refused(
    change: dict[str, str], rule: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        settings.parse(put(raw(), "detection", {"indicators": {"one": GOOD_ONE | change}}))
    found = [p for p in caught.value.problems if rule in p.rule]
    assert found and all(p.key.startswith("detection.indicators.one.") and p.fix for p in found)
