"""What the report looks like in a real browser: no overlap, both themes, a phone, no network, no error."""

from __future__ import annotations

import pytest

from tests.e2e.report_browser import CONTRAST, SIZES, Visits, folder, picture, pixels, visit

__all__ = ["folder", "visit"]  # fixtures


WIDE = (
    "[document.documentElement, document.body].map((e) => e.scrollWidth)"
    ".concat(document.documentElement.clientWidth)"
)
PAGES = (
    "mixed", "good", "red", "waived", "crowded", "fleet", "every", "empty", "hostile", "hostile-fleet",
    "summary", "summary-hostile",
)  # fmt: skip


@pytest.mark.parametrize("name", PAGES)
def test_no_error_no_request_no_script_of_others_and_no_sideways_scroll(visit: Visits, name: str) -> None:
    seen = visit(name)
    seen.page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    for size in SIZES.values():
        seen.page.set_viewport_size(size)
        seen.page.wait_for_timeout(200)
        wide = seen.page.evaluate(WIDE)
        assert max(wide) == wide[2], (size, wide)
    assert seen.complaints == []
    assert [url for url in seen.requests if not url.startswith(("file:", "data:"))] == []
    assert len([url for url in seen.requests if url.startswith("file:")]) == 1


def test_what_a_hostile_node_says_is_read_and_never_acts(visit: Visits) -> None:
    """Also where a script puts the text onto the page: an opened control, a cell of the heat map."""
    seen = visit("hostile-fleet")
    page = seen.page
    page.wait_for_selector("#heat:not([hidden])")
    page.fill("#search", "onerror")
    page.locator("details.control:not([hidden]) > summary").first.click()
    page.wait_for_selector("details.control[open] .results > li", timeout=60000)
    page.focus("#heat canvas")
    page.keyboard.press("n")
    page.keyboard.press("Enter")
    page.wait_for_selector("#heat-pick .results > li", timeout=60000)
    page.locator("#heat-pick details.evidence > summary").first.click()
    assert "<script>alert(1)</script>" in page.inner_text("#heat-pick pre >> nth=0")
    assert page.locator("main img, main iframe, main link, main script").count() == 0
    assert seen.complaints == []
    assert [url for url in seen.requests if not url.startswith(("file:", "data:"))] == []


def test_light_and_dark_are_drawn_and_differ(visit: Visits) -> None:
    clip = {"x": 0, "y": 0, "width": 900, "height": 420}
    shots = {
        scheme: pixels(visit("mixed", scheme=scheme).page.screenshot(clip=clip))
        for scheme in ("light", "dark")
    }
    brightness = {scheme: sum(map(sum, shot)) / len(shot) / 3 for scheme, shot in shots.items()}
    assert brightness["light"] > 200
    assert brightness["dark"] < 60
    assert all(len(set(shot)) > 20 for shot in shots.values())


def test_the_toggle_overrides_the_system(visit: Visits) -> None:
    seen = visit("mixed", scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = seen.page.evaluate(background)
    seen.page.click("#theme")
    assert seen.page.inner_text("#theme") == "Theme: light"
    assert seen.page.evaluate(background) != dark
    seen.page.click("#theme")
    assert seen.page.evaluate(background) == dark


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_the_contrast_that_wcag_aa_asks(visit: Visits, scheme: str) -> None:
    """WCAG 2.2, success criterion 1.4.3: 4.5 to 1."""
    page = visit("mixed", scheme=scheme).page
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert page.evaluate(CONTRAST) == []


OVERLAPS = """() => {
  const texts = [...document.querySelectorAll('svg.region-diagram text')].filter((t) => t.textContent.trim());
  const boxes = texts.map((t) => ({ t: t.textContent, ...t.getBoundingClientRect().toJSON() }));
  const found = [];
  boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b) => {
    const x = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const y = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (x > 1 && y > 3) found.push([a.t, b.t, x, y]);
  }));
  const frame = document.querySelector('svg.region-diagram').getBoundingClientRect();
  boxes.filter((a) => a.left < frame.left || a.right > frame.right || a.bottom > frame.bottom)
    .forEach((a) => found.push([a.t, 'outside']));
  document.querySelectorAll('svg .d-node').forEach((node) => {
    const box = node.querySelector('.d-box').getBoundingClientRect();
    node.querySelectorAll('text').forEach((t) => {
      const r = t.getBoundingClientRect();
      if (r.right > box.right + 1 || r.left < box.left - 1) found.push([t.textContent, 'wider than its box']);
    });
  });
  return found;
}"""


@pytest.mark.parametrize("name", ["mixed", "crowded", "fleet"])
def test_no_label_of_the_diagram_overlaps_another(visit: Visits, name: str) -> None:
    assert visit(name).page.evaluate(OVERLAPS) == []


def test_the_picture_alone_follows_the_theme_of_its_reader(visit: Visits) -> None:
    (visit.folder / "region.svg").write_text(picture(), encoding="utf-8")
    readme = visit.folder / "readme.html"
    readme.write_text('<!doctype html><title>x</title><img src="region.svg" width="600">')
    shown = {}
    for scheme in ("light", "dark"):
        page = visit.browser.new_page(viewport=SIZES["desktop"], color_scheme=scheme)
        page.goto(readme.as_uri())
        shot = pixels(page.locator("img").screenshot())
        shown[scheme] = sum(map(sum, shot)) / len(shot) / 3
        page.close()
    assert shown["light"] > 220
    assert shown["dark"] < 70
