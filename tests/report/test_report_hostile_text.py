"""Whatever a text says, it stays text: same elements, same attributes, nothing runs, nothing is asked for."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import html5lib
import pytest

from crossover.report import compare_sections, crossover_sections
from crossover.report.comparison_figure import Dot, dot_plot
from crossover.report.verdict_page import verdict_page
from crossover.report.visible_text import visible


def _beside(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


EXAMPLE = _beside("example_verdict")
PAYLOADS: tuple[str, ...] = _beside("hostile_texts").PAYLOADS
BENIGN = "plain words"
_FREE_KEYS = ("arms", "extrapolation", "environment", "recipe", "prices", "versions", "settings", "scores")


def poisoned(value: object, text: Callable[[], str], free: bool = False) -> object:
    """The value with every text replaced, and the keys of free mappings too."""
    if isinstance(value, str):
        return text()
    if isinstance(value, list):
        return [poisoned(entry, text) for entry in value]
    if isinstance(value, dict):
        return {
            (f"{text()} {k}" if free else key): poisoned(inner, text, key in _FREE_KEYS)
            for k, (key, inner) in enumerate(value.items())
        }
    return value


def brief(value: object) -> object:
    """The same shape with two entries of every list: all kinds of field, fewer of each."""
    if isinstance(value, list):
        return [brief(entry) for entry in value[:2]]
    return {key: brief(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def shape(html: str) -> list[tuple[str, tuple[str, ...]]]:
    """Every element with its attribute names, in document order."""
    root = html5lib.parse(html, namespaceHTMLElements=False)
    return [
        (str(e.tag), tuple(sorted(str(a) for a in e.attrib))) for e in root.iter() if isinstance(e.tag, str)
    ]


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (crossover_sections, compare_sections):
        monkeypatch.setattr(module, "charts", lambda plain: [])


def test_there_are_sixty_payloads() -> None:
    assert len(set(PAYLOADS)) == 60


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize("make", ["crossover_verdict", "compare_verdict"])
def test_every_payload_in_every_field_gives_the_page_of_benign_text(make: str) -> None:
    verdict = brief(getattr(EXAMPLE, make)())
    benign = shape(verdict_page(poisoned(verdict, lambda: BENIGN)).html())
    assert len(benign) > 100
    for payload in PAYLOADS:
        text = payload
        html = verdict_page(poisoned(verdict, lambda text=text: text)).html()  # type: ignore[misc]
        assert shape(html) == benign, payload[:80]


@pytest.mark.usefixtures("no_figures")
def test_a_payload_is_shown_and_not_dropped() -> None:
    for payload in PAYLOADS:
        verdict = {"sentence": "benign", "population": payload}
        root = html5lib.parse(verdict_page(verdict).html(), namespaceHTMLElements=False)
        shown = "This speaks of: " + visible(payload, 1_500)
        assert shown in ["".join(p.itertext()) for p in root.iter("p")], payload[:80]


def test_pages_with_figures_hold_no_other_elements_than_with_benign_text() -> None:
    """Sixty payloads dealt over all fields, figure labels included."""
    dealt: list[str] = []

    def deal() -> str:
        dealt.append(PAYLOADS[len(dealt) % len(PAYLOADS)])
        return dealt[-1]

    verdict = {**EXAMPLE.crossover_verdict(), "flags": list(PAYLOADS)}
    html = verdict_page(poisoned(verdict, deal)).html()
    assert set(PAYLOADS) <= set(dealt)
    benign = verdict_page(poisoned(verdict, lambda: BENIGN)).html()
    assert set(shape(html)) == set(shape(benign))
    root = html5lib.parse(html, namespaceHTMLElements=False)
    for element in root.iter():
        for name, value in element.attrib.items():
            assert not str(name).startswith("on") and name != "style"
            if str(name).rpartition("}")[2] in ("href", "src", "action", "data"):
                assert value.startswith("#"), value
    assert Counter(tag for tag, _ in shape(html))["script"] == 1


def test_labels_of_a_figure_stay_text() -> None:
    chart = dot_plot("scores", "title", "axis", [Dot(text, 0.5, 0.4, 0.6) for text in PAYLOADS])
    plain = dot_plot("scores", "title", "axis", [Dot(BENIGN, 0.5, 0.4, 0.6) for _ in PAYLOADS])
    assert chart is not None and plain is not None
    hostile = shape(chart.drawing().__html__())
    assert set(hostile) == set(shape(plain.drawing().__html__()))
    assert "&lt;script&gt;window.top" in chart.drawing().raw
