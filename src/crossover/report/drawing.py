"""Chart and Drawing: a Vega-Lite specification, and the SVG of it that a page may hold."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crossover.report.visible_text import visible

PNG_SCALE = 2.0
"""Pixels of the PNG a unit of the SVG."""

_ELEMENTS = frozenset({"svg", "g", "path", "line", "rect", "circle", "text", "tspan", "defs", "clipPath"})
_PLACE = "width height viewBox transform d x y x1 x2 y1 y2 dx dy cx cy r rx ry display clip-path id class"
_LOOK = (
    "fill fill-opacity stroke stroke-width stroke-opacity stroke-dasharray stroke-linecap stroke-linejoin "
    "stroke-miterlimit opacity text-anchor font-family font-size font-weight font-style"
)
_ATTRIBUTES = frozenset([*_PLACE.split(), *_LOOK.split()])
_CLIP = re.compile(r"url\(#([A-Za-z]+\d+)\)")
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}(?:e-?\d+)?")
_CLASS = re.compile(r"[a-z0-9_ -]*")


@dataclass(frozen=True)
class Drawing:
    """An SVG that may stand in a page as it is.

    Whatever it is made from, only elements and attributes that draw are kept: no script, style,
    link, image or handler; ids get ``name`` in front, so that two figures of a page do not meet.
    ``label`` is what a screen reader says.

    Raises:
        ValueError: not well-formed, or it declares entities.
    """

    raw: str = field(repr=False)
    name: str
    label: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_-]*", self.name):
            raise ValueError(f"figure name {self.name!r}: lower-case letters, digits, - and _")
        object.__setattr__(self, "raw", _clean(self.raw, self.name, self.label))

    def __html__(self) -> str:
        """The cleaned SVG; the template takes it unescaped."""
        return self.raw


@dataclass(frozen=True)
class Chart:
    """A figure before it is drawn: its file name, what it shows, and its specification."""

    name: str
    label: str
    caption: str
    spec: Mapping[str, Any] = field(repr=False)

    def drawing(self) -> Drawing:
        """The figure as SVG for a page."""
        import vl_convert

        svg = vl_convert.vegalite_to_svg(dict(self.spec), vl_version=_version(), allowed_base_urls=[])
        return Drawing(svg, self.name, self.label)

    def png(self) -> bytes:
        """The figure as PNG, two pixels a unit, on white."""
        import vl_convert

        data: bytes = vl_convert.vegalite_to_png(
            dict(self.spec), vl_version=_version(), scale=PNG_SCALE, allowed_base_urls=[]
        )
        return data


def _version() -> str:
    import altair

    major, minor = altair.SCHEMA_VERSION.lstrip("v").split(".")[:2]
    return f"{major}.{minor}"


def _clean(svg: str, name: str, label: str) -> str:
    if "<!" in svg:
        raise ValueError("an SVG with a declaration, comment or entity is not taken")
    root = ET.fromstring(_renumbered(svg))
    if _local(root.tag) != "svg":
        raise ValueError(f"expected an <svg>, got <{_local(root.tag)}>")
    _keep(root, name)
    root.set("role", "img")
    root.set("aria-label", visible(label))
    return ET.tostring(root, encoding="unicode", short_empty_elements=True)


def _renumbered(svg: str) -> str:
    """Clip paths numbered from 1 in the order they are used: the renderer counts on over figures."""
    numbers: dict[str, int] = {}

    def number(found: re.Match[str]) -> str:
        return f"{found[1]}clip{numbers.setdefault(found[2], len(numbers) + 1)}{found[3]}"

    return re.sub(r"""(\(#|id=")clip(\d+)(\)|")""", number, svg)


def _keep(element: ET.Element, name: str) -> None:
    element.tag = _local(element.tag)
    for key, value in list(element.attrib.items()):
        del element.attrib[key]
        kept = _attribute(key, value, name)
        if kept is not None:
            element.set(key, kept)
    element.text = visible(element.text) if element.text else element.text
    element.tail = None
    for child in list(element):
        if _local(child.tag) in _ELEMENTS:
            _keep(child, name)
        else:
            element.remove(child)


def _attribute(key: str, value: str, name: str) -> str | None:
    if key not in _ATTRIBUTES or (key == "class" and not _CLASS.fullmatch(value)):
        return None
    if key == "id":
        return f"{name}-{value}" if re.fullmatch(r"[A-Za-z]+\d+", value) else None
    if key == "clip-path":
        clip = _CLIP.fullmatch(value)
        return f"url(#{name}-{clip.group(1)})" if clip else None
    if "url(" in value.lower() or "javascript:" in value.lower():
        return None
    return _LONG_NUMBER.sub(lambda found: f"{float(found.group()):.2f}", value)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
