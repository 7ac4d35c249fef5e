"""A detection table made part by part: each call of its script renews one part of the JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crossover.measure.interval import clopper_pearson

Parts = dict[str, dict[str, Any]]


def limits(seen: Sequence[bool]) -> tuple[int, int, float, float]:
    """How many, of how many, and the Clopper-Pearson limits of the rate."""
    low, high = clopper_pearson(float(sum(seen)), float(len(seen)))
    return sum(seen), len(seen), float(low), float(high)


def renewed(file: Path, part: str, found: Mapping[str, Any], order: Sequence[str]) -> Parts:
    """Put one part in place of what the file has of it; all parts, in this order."""
    parts = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    parts[part] = dict(found)
    ordered = {name: parts[name] for name in order if name in parts}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")
    return ordered
