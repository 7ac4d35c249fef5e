"""Rows as data in a page: nothing in them can end the data, run, or hide."""

from __future__ import annotations

import json
import re

import html5lib
import pytest

from crossover.report.browser import BRIEF, FIRST, MOST_CHOICES, Browser, Facet, Inert
from crossover.report.page import Page, Section

FACETS = (
    Facet("class", choose=True),
    Facet("why", "tags", choose=True),
    Facet("text", "long"),
    Facet("n", "count"),
)


def page(browser: Browser) -> str:
    return Page("t", "h", "s", "e", "b", (), (Section("Rows", "rows", (browser,)),)).html()


def data_of(html: str) -> dict:
    root = html5lib.parse(html, namespaceHTMLElements=False)
    (script,) = [s for s in root.iter("script") if s.get("type") == "application/json"]
    return json.loads(script.text)


def rows(count: int, text: str = "some text") -> tuple:
    return tuple(("ham", ("random",), f"{text} {k}", k) for k in range(count))


def test_what_is_in_the_page_reads_back_as_it_was() -> None:
    data = data_of(page(Browser("Rows", FACETS, rows(200))))
    assert [facet["title"] for facet in data["facets"]] == ["class", "why", "text", "n"]
    assert data["rows"][150] == ["ham", ["random"], "some text 150", 150]


def test_no_character_that_html_or_javascript_takes_for_an_end_is_left_in_the_data() -> None:
    hostile = "</script><script>alert(1)</script><!--&amp;\u2028\u2029 ]]>"
    raw = Browser("Rows", FACETS, ((hostile, (hostile,), hostile, None),)).data.raw
    assert not re.search("[<>&\u2028\u2029]", raw)
    assert "</script><script>alert(1)" in json.loads(raw)["rows"][0][0]
    assert data_of(page(Browser("Rows", FACETS, rows(2, hostile))))["rows"][1][2].startswith("</script>")
    assert Inert.of(["<"]).__html__() == '["\\u003c"]'


def test_what_hides_in_a_text_is_named_and_the_text_is_not_cut_for_it() -> None:
    data = data_of(page(Browser("Rows", FACETS, (("a", (), "x\u202ey\x00" * 50, 1),))))
    assert data["rows"][0][2] == "x‹U+202E›y␀" * 50


def test_without_scripts_the_first_rows_stand_there_as_a_table() -> None:
    root = html5lib.parse(page(Browser("Rows", FACETS, rows(500, "w" * 1_000))), namespaceHTMLElements=False)
    (table,) = root.iter("table")
    lines = list(table.find("tbody").iter("tr"))
    assert len(lines) == FIRST
    cells = ["".join(cell.itertext()) for cell in lines[3].iter("td")]
    assert cells[0] == "ham" and cells[3] == "3"
    assert cells[2].startswith("w" * BRIEF + "…") and len(cells[2]) < BRIEF + 40
    assert not list(root.iter("input")) and not list(root.iter("select"))
    assert "The first 50 of 500 rows." in "".join(root.itertext())


def test_a_column_of_many_values_or_of_one_is_not_offered_as_a_choice() -> None:
    def chosen(values: list[str]) -> bool:
        browser = Browser("Rows", (Facet("x", choose=True),), tuple((value,) for value in values))
        return bool(json.loads(browser.data.raw)["facets"][0]["choose"])

    assert chosen(["a", "b", "a"])
    assert not chosen(["a", "a"]) and not chosen([str(k) for k in range(MOST_CHOICES + 1)])


def test_numbers_that_json_has_not_become_nothing() -> None:
    browser = Browser("Rows", (Facet("x", "quantity"),), ((float("nan"),), (float("inf"),), (0.123456,)))
    assert json.loads(browser.data.raw)["rows"] == [[None], [None], [0.1235]]


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="facets"):
        Browser("Rows", FACETS, (("a",),))
