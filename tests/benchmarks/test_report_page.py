"""report.html as a browser shows it, at the widths of a desktop and of a phone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.report import HTML, write_report
from benchmarks.targets import read_targets
from tests.benchmarks.browser import Page, browser, opened
from tests.benchmarks.conftest import document, emulated

DESKTOP, PHONE = 1200, 390

BOXES = """[...document.querySelectorAll("svg")].map(svg => {
  const box = svg.getBoundingClientRect();
  const inside = [...svg.querySelectorAll("rect, line, circle")].map(mark => mark.getBoundingClientRect());
  return {
    width: box.width, height: box.height, marks: inside.length,
    drawn: inside.filter(mark => mark.width > 0 || mark.height > 0).length,
    out: inside.filter(mark => mark.left < box.left - 12 || mark.right > box.right + 12).length,
    letters: Math.min(...[...svg.querySelectorAll("text")].map(text => parseFloat(getComputedStyle(text).fontSize))),
    role: svg.getAttribute("role"),
    told: (svg.getAttribute("aria-labelledby") || "").split(" ").map(id => document.getElementById(id)?.textContent),
  };
})"""

TABLES = """[...document.querySelectorAll("table")].map(table => ({
  name: table.closest("[aria-label]").getAttribute("aria-label"),
  columns: table.querySelectorAll("thead th").length,
  rows: [...table.querySelectorAll("tbody tr")].map(row => row.children.length),
}))"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with every section."""
    folder = tmp_path_factory.mktemp("report")
    write_report(folder, document(extra=[emulated("student_int8.pte", "encode")]), read_targets())
    return folder / HTML


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    program = browser()
    if program is None:
        pytest.skip("no chromium on this machine: the page is not looked at")
    with opened(program, tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_chart_is_drawn_within_its_frame_and_told_in_words(
    page: Page, report: Path, width: int, dark: bool
) -> None:
    page.open(report, width=width, dark=dark)

    charts = page.value(BOXES)

    assert len(charts) == 5
    for chart in charts:
        assert 0 < chart["width"] <= width
        assert chart["height"] > 40
        assert chart["drawn"] == chart["marks"] > 0
        assert chart["out"] == 0
        assert chart["letters"] >= 12
        assert chart["role"] == "img"
        title, text = chart["told"]
        assert title
        assert "ms" in text or "Megabytes" in text


@pytest.mark.parametrize("width", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_tables_are_complete_and_scroll_within_the_page(page: Page, report: Path, width: int) -> None:
    page.open(report, width=width)

    tables = {table["name"]: table for table in page.value(TABLES)}

    results = document(extra=[emulated("student_int8.pte", "encode")])
    wanted = {
        "Reference against student": 2,
        "Stages": 17,
        "Teacher against student": 3,
        "Accuracy against latency": 3,
        "Latency": len(results.rows),
        "Protocol": len(results.rows),
        "Remarks": 1,
        "Memory": 4,
        "Outputs against the host's": 1,
        "Phones": 5,
        "Budgets": len(results.checks),
        "Published": len(results.published),
        "Machine and versions": 7,
    }
    assert {name: len(table["rows"]) for name, table in tables.items()} == wanted
    assert all(set(table["rows"]) == {table["columns"]} for table in tables.values())
    assert page.value("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_letters_stand_out_from_the_page(page: Page, report: Path, dark: bool) -> None:
    page.open(report, width=PHONE, dark=dark)

    ink, paper = (
        page.value(f"getComputedStyle(document.body).{name}.match(/\\d+/g).map(Number)")
        for name in ("color", "backgroundColor")
    )

    assert (sum(paper) < sum(ink)) is dark
    assert abs(sum(ink) - sum(paper)) / 3 > 150


def test_the_page_asks_for_nothing_but_itself(page: Page, report: Path) -> None:
    page.requests.clear()
    page.complaints.clear()

    page.open(report, width=DESKTOP)
    page.value("document.title")

    assert page.requests == [report.resolve().as_uri()]
    assert page.complaints == []
