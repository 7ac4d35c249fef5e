"""Page: sections of plain values to one self-contained HTML file.

The file opens from disk, asks the network for nothing and runs one script of ours, allowed by
its hash. All text passes through :func:`~crossover.report.visible_text.visible` and Jinja's
escaping on its way out; only a :class:`~crossover.report.drawing.Drawing`, cleaned when it was
made, goes in as markup, and a :class:`~crossover.report.browser.Inert`, escaped when it was made, as data.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from crossover.report.browser import Browser
from crossover.report.drawing import Chart, Drawing
from crossover.report.tables import Table
from crossover.report.visible_text import visible

if TYPE_CHECKING:
    import jinja2

TEXT_LIMIT = 2_000
"""Characters of the longest text a page shows (a command); others are cut shorter before."""


@dataclass(frozen=True)
class Prose:
    """A paragraph; ``tone`` is plain, lead or quiet."""

    text: str
    tone: str = "plain"
    template: ClassVar[str] = "prose"


@dataclass(frozen=True)
class Notice:
    """What must not be missed."""

    title: str
    items: tuple[str, ...]
    template: ClassVar[str] = "notice"


@dataclass(frozen=True)
class Bullets:
    """A list under a small heading."""

    title: str
    items: tuple[str, ...]
    template: ClassVar[str] = "bullets"


@dataclass(frozen=True)
class Tiles:
    """The few figures to remember: (what, value, remark) each."""

    items: tuple[tuple[str, str, str], ...]
    template: ClassVar[str] = "tiles"


@dataclass(frozen=True)
class Facts:
    """Names and values."""

    items: tuple[tuple[str, str], ...]
    template: ClassVar[str] = "facts"


@dataclass(frozen=True)
class Code:
    """Lines to be copied, one command each."""

    lines: tuple[str, ...]
    template: ClassVar[str] = "code"


@dataclass(frozen=True)
class Picture:
    """A figure with its caption."""

    drawing: Drawing
    caption: str
    template: ClassVar[str] = "picture"

    @classmethod
    def of(cls, chart: Chart) -> Picture:
        """The chart, drawn."""
        return cls(chart.drawing(), chart.caption)


@dataclass(frozen=True)
class Fold:
    """Blocks that are closed until asked for."""

    summary: str
    blocks: tuple[Block, ...]
    template: ClassVar[str] = "fold"


Block: TypeAlias = Prose | Notice | Bullets | Tiles | Facts | Code | Picture | Fold | Table | Browser


@dataclass(frozen=True)
class Section:
    """A heading with blocks; ``anchor`` is ours, never taken from data."""

    title: str
    anchor: str
    blocks: tuple[Block, ...]

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z-]*", self.anchor):
            raise ValueError(f"section anchor {self.anchor!r}: lower-case letters and hyphens")


@dataclass(frozen=True)
class Page:
    """A title, what stands at its head, and sections.

    ``headline`` is the answer and ``subline`` what goes on from it; ``eyebrow`` stands above,
    ``badge`` is a word for the kind of answer, ``head`` the blocks before the first section.
    """

    title: str
    headline: str
    subline: str
    eyebrow: str
    badge: str
    head: tuple[Block, ...]
    sections: tuple[Section, ...]

    def html(self) -> str:
        """The whole file."""
        environment = _environment()
        return environment.get_template("page.html.jinja").render(page=self, policy=content_policy())


def content_policy() -> str:
    """The Content-Security-Policy of every page: nothing but our own style and script, by hash."""
    environment = _environment()
    style, script = (_hash(environment.get_template(file).render()) for file in ("page.css", "page.js"))
    return (
        f"default-src 'none'; style-src '{style}'; script-src '{script}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _shown(value: object) -> object:
    """What every ``{{ }}`` of the template passes through before it is escaped."""
    return visible(value, TEXT_LIMIT) if isinstance(value, str) and not hasattr(value, "__html__") else value
