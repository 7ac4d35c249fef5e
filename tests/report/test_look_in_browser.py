"""The rows of a look in a real browser: search, filters, sorting work, and hostile rows do nothing."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crossover.report.browser import Browser, Facet
from crossover.report.page import Page, Section

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]
ROWS = 5_000
FACETS = (
    Facet("class", choose=True), Facet("why", "tags", choose=True), Facet("text", "long"),
    Facet("sender", choose=True), Facet("characters", "count"), Facet("id"),
)  # fmt: skip


def _payloads() -> tuple[str, ...]:
    spec = importlib.util.spec_from_file_location("hostile", Path(__file__).parent / "hostile_texts.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return tuple(module.PAYLOADS)


class Tab:
    """One page in a browser that is driven over its debugging pipe; ``events`` holds what it reported."""

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM is not None
        (read_end, self._out), (self._in, write_end) = os.pipe(), os.pipe()
        quiet = ("gpu", "quic", "background-networking", "component-update", "sync")
        flags = ["--headless=new", "--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in quiet)]
        flags += [f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"]
        given = f'exec "$0" "$@" 3<&{read_end} 4>&{write_end}'
        self.process = subprocess.Popen(
            ["/bin/bash", "-c", given, CHROMIUM, *flags],
            pass_fds=(read_end, write_end),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_end)
        os.close(write_end)
        self._buffer, self._number, self.events = b"", 0, []
        target = self._ask("Target.createTarget", {"url": "about:blank"})["targetId"]
        self._session = None
        self._session = self._ask("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._ask(f"{domain}.enable", {})

    _session: str | None = None

    def _ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return dict(answer["result"])
            self.events.append(answer)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            piece = os.read(self._in, 1 << 20)
            assert piece, "the browser has gone"
            self._buffer += piece
        message, self._buffer = self._buffer.split(b"\0", 1)
        return dict(json.loads(message))

    def open(self, page: Path) -> None:
        self.events.clear()
        self._ask("Page.navigate", {"url": page.as_uri()})
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next())

    def value(self, script: str) -> Any:
        """What a script evaluates to; the protocol's scripts are ours, the page's policy still holds."""
        answer = self._ask("Runtime.evaluate", {"expression": script, "returnByValue": True})
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def type(self, text: str) -> None:
        """Keys into the search box."""
        self.value("document.querySelector('input[type=search]').select()")
        self._ask("Input.insertText", {"text": text})

    def said(self) -> str:
        return str(self.value("document.querySelector('output').textContent"))

    def shown(self, column: int) -> list[str]:
        script = (
            f"[...document.querySelectorAll('table.rows tbody tr')].map((r) => r.cells[{column}].textContent)"
        )
        return list(self.value(script))

    def named(self, *methods: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event.get("method") in methods]

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        os.close(self._in)
        os.close(self._out)


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    opened = Tab(tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


def written(folder: Path, rows: tuple[tuple[Any, ...], ...]) -> Path:
    page = folder / "page.html"
    section = Section("Rows", "rows", (Browser("Rows", FACETS, rows),))
    page.write_text(Page("t", "h", "s", "e", "b", (), (section,)).html(), encoding="utf-8")
    return page


@pytest.fixture(scope="module")
def benign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = tuple(
        (
            "spam" if k % 5 == 0 else "ham",
            ("random", "longest") if k % 10 == 0 else (),
            f"Row number {k}. " + "Needle " * (k % 50 == 7) + "some words of a text " * 60,
            None if k % 3 == 0 else f"sender {k % 4}",
            (k * 7919) % ROWS,
            f"id-{k:04d}",
        )
        for k in range(ROWS)
    )
    return written(tmp_path_factory.mktemp("benign"), rows)


def test_the_search_finds_rows_anywhere_in_the_data_whatever_the_case(tab: Tab, benign: Path) -> None:
    tab.open(benign)
    assert tab.said() == "5000 rows, shown 1 to 50" and len(tab.shown(0)) == 50
    tab.type("nEEdle")
    assert tab.said() == "100 of 5000 rows, shown 1 to 50"
    assert tab.shown(5)[:2] == ["id-0007", "id-0057"]
    tab.type("id-4321")
    assert tab.shown(5) == ["id-4321"]
    tab.type("no such row")
    assert tab.said() == "no row is like this" and tab.shown(0) == []


def test_filters_and_search_hold_together_and_are_cleared(tab: Tab, benign: Path) -> None:
    tab.open(benign)
    offered = tab.value(
        "[...document.querySelectorAll('select')].map((s) => [...s.options].map((o) => o.text))"
    )
    assert offered[0] == ["all", "ham (4000)", "spam (1000)"] and offered[1] == [
        "all",
        "longest (500)",
        "random (500)",
    ]
    choose = (
        "{const s = document.querySelectorAll('select')[%d];"
        "s.value = '%d'; s.dispatchEvent(new Event('change'))}"
    )
    tab.value(choose % (0, 1))
    assert tab.said().startswith("1000 of 5000") and set(tab.shown(0)) == {"spam"}
    tab.value(choose % (1, 1))
    assert tab.said().startswith("500 of 5000")
    tab.type("number 40. ")
    assert tab.shown(5) == ["id-0040"]
    tab.value("document.querySelector('.controls > button').click()")
    assert tab.said().startswith("5000 rows")


def test_every_column_sorts_by_what_it_is_and_leaves_turn(tab: Tab, benign: Path) -> None:
    tab.open(benign)
    head = "document.querySelectorAll('table.rows th button')[%d].click()"
    tab.value(head % 4)
    assert [int(shown.replace(",", "")) for shown in tab.shown(4)] == list(range(4_999, 4_949, -1))
    tab.value(head % 4)
    assert [int(shown) for shown in tab.shown(4)] == list(range(50))
    tab.value("document.querySelectorAll('.pager button')[1].click()")
    assert tab.shown(4)[0] == "50" and tab.said().endswith("shown 51 to 100")
    tab.value(head % 3)
    tab.value(head % 3)
    assert tab.shown(3)[0] == "sender 3"
    tab.value("for (let k = 0; k < 200; k++) document.querySelectorAll('.pager button')[1].click()")
    assert tab.shown(3)[-1] == "–", "what is missing stands last in either direction"
    assert tab.value("document.querySelectorAll('.pager button')[1].disabled") is True


def test_a_long_text_opens_and_closes(tab: Tab, benign: Path) -> None:
    tab.open(benign)
    cell = "document.querySelector('table.rows tbody tr td.long')"
    before = tab.value(f"{cell}.textContent.length")
    tab.value(f"{cell}.querySelector('button').click()")
    assert before < 320 and tab.value(f"{cell}.textContent.length") > 1_200
    tab.value(f"{cell}.querySelector('button').click()")
    assert tab.value(f"{cell}.textContent.length") == before


def test_five_thousand_rows_answer_within_a_second(tab: Tab, benign: Path) -> None:
    tab.open(benign)
    timed = """(() => {
      const begun = performance.now(), box = document.querySelector('input[type=search]');
      box.value = 'needle'; box.dispatchEvent(new Event('input'));
      document.querySelectorAll('table.rows th button')[2].click();
      document.querySelectorAll('table.rows th button')[4].click();
      document.body.getBoundingClientRect();
      return performance.now() - begun;
    })()"""
    assert tab.value(timed) < 1_000


def test_hostile_rows_open_quietly_and_do_nothing(tab: Tab, tmp_path: Path) -> None:
    payloads = _payloads()
    rows = tuple(
        (
            payloads[k % 7][:200],
            (payloads[k % 60][:90],),
            payloads[k % 60],
            payloads[(k * 7) % 60][:120],
            k,
            payload,
        )
        for k, payload in enumerate(payloads * 3)
    )
    page = written(tmp_path, rows)
    tab.open(page)
    for text in ("<script>", "alert", "\u202e", "evil"):
        tab.type(text)
    tab.type("")
    for k in range(len(FACETS)):
        tab.value(f"document.querySelectorAll('table.rows th button')[{k}].click()")
    tab.value("document.querySelectorAll('td.long button').forEach((button) => button.click())")
    tab.value("document.querySelectorAll('.pager button')[1].click()")
    assert tab.value("document.title") == "t"
    kinds = set(tab.value("[...document.querySelectorAll('table.rows tbody *')].map((e) => e.tagName)"))
    assert kinds <= {"TR", "TD", "SPAN", "BUTTON"}
    names = tab.value("[...document.querySelectorAll('.browser *')].flatMap((e) => e.getAttributeNames())")
    assert not [name for name in names if name.startswith("on") or name in ("src", "href", "style")]
    assert tab.named("Page.javascriptDialogOpening", "Runtime.exceptionThrown", "Log.entryAdded") == []
    asked = [event["params"]["request"]["url"] for event in tab.named("Network.requestWillBeSent")]
    assert asked == [page.as_uri()], "the page itself and nothing else"


def test_the_test_would_see_a_dialog_a_request_and_a_violation(tab: Tab, tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text(
        "<meta http-equiv='Content-Security-Policy' content=\"script-src 'none'\">"
        "<img src='http://evil.example/pixel.png'><script>document.title='PWNED'</script>",
        encoding="utf-8",
    )
    tab.open(page)
    assert any("Content Security Policy" in str(event) for event in tab.named("Log.entryAdded"))
    assert any("evil.example" in str(event) for event in tab.named("Network.requestWillBeSent"))
