"""A page is one file that asks for nothing, runs only our script, and stays small."""

from __future__ import annotations

import base64
import hashlib
import re

import html5lib
import pytest

from crossover.report import page as page_module
from crossover.report.page import Bullets, Code, Facts, Fold, Notice, Page, Prose, Section, content_policy
from crossover.report.tables import Column, Table


def made(*blocks: page_module.Block) -> str:
    section = Section("Part", "part", tuple(blocks))
    return Page("title", "headline", "subline", "eyebrow", "badge", (), (section,)).html()


def hash_of(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def test_the_policy_allows_only_what_is_in_the_file_by_hash() -> None:
    root = html5lib.parse(made(Prose("x")), namespaceHTMLElements=False)
    metas = [m for m in root.iter("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert len(metas) == 1
    rules = dict(rule.strip().split(" ", 1) for rule in metas[0].get("content", "").split(";"))
    (style,), (script,) = list(root.iter("style")), list(root.iter("script"))
    assert rules == {
        "default-src": "'none'",
        "style-src": f"'{hash_of(style.text or '')}'",
        "script-src": f"'{hash_of(script.text or '')}'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert "unsafe" not in content_policy()


def test_the_policy_stands_before_style_and_script() -> None:
    html = made(Prose("x"))
    assert html.startswith("<!DOCTYPE html>") or html.lstrip().startswith("<!DOCTYPE html>")
    assert html.index("Content-Security-Policy") < html.index("<style>") < html.index("<script>")


def test_our_script_and_style_use_nothing_dangerous_or_foreign() -> None:
    environment = page_module._environment()
    script, style = (environment.get_template(file).render() for file in ("page.js", "page.css"))
    banned = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|Function\(|fetch\(|XMLHttp|import\("
    )
    assert not re.search(banned, script)
    assert not re.search(r"url\(|@import|http", style)
    source = environment.loader.get_source(environment, "page.html.jinja")[0]  # type: ignore[union-attr]
    assert "|safe" not in source.replace(" ", "") and "Markup" not in source
    for attribute in re.findall(r"=(\{\{.*?\}\})", source):
        pytest.fail(f"attribute value without quotes: {attribute}")


def test_a_template_that_names_nothing_known_is_an_error() -> None:
    import jinja2

    with pytest.raises(jinja2.UndefinedError):
        page_module._environment().from_string("{{ nothing_of_that_name }}").render()


def test_text_passes_through_escaping_and_is_made_visible() -> None:
    html = made(Prose("<b>\u202e&\"'"), Code(("a\x1b[31m",)))
    assert "&lt;b&gt;‹U+202E›&amp;&#34;&#39;" in html
    assert "a␛[31m" in html


def test_every_block_is_drawn() -> None:
    table = Table("caption", (Column("name"), Column("value", "score")), (("row", 0.5),), "note")
    html = made(
        Prose("prose-text"),
        Notice("notice-title", ("notice-item",)),
        Bullets("bullets-title", ("bullets-item",)),
        Facts((("fact-name", "fact-value"),)),
        Fold("fold-summary", (Code(("folded-code",)), table)),
    )
    texts = ("prose-text", "notice-title", "notice-item", "bullets-title", "bullets-item", "fact-name")
    for word in (*texts, "fact-value", "fold-summary", "folded-code", "caption", "note", "0.500"):
        assert word in html
    assert 'data-sort="0.5"' in html


def test_a_long_text_is_cut_and_a_long_table_too() -> None:
    table = Table("t", (Column("n", "count"),), tuple((k,) for k in range(5_000)))
    html = made(Prose("x" * 1_000_000), table)
    assert "characters)" in html
    assert "4700 more rows" in html
    assert len(html) < 300_000


def test_an_anchor_from_data_is_refused() -> None:
    with pytest.raises(ValueError, match="anchor"):
        Section("title", 'x"><script>', ())


def test_contents_link_to_every_section() -> None:
    sections = tuple(Section(name, name, ()) for name in ("one", "two"))
    root = html5lib.parse(Page("t", "h", "s", "e", "b", (), sections).html(), namespaceHTMLElements=False)
    links = [a.get("href") for nav in root.iter("nav") for a in nav.iter("a")]
    assert links == ["#one", "#two"] == [f"#{s.get('id')}" for s in root.iter("section")]
    assert root.get("lang") == "en"
