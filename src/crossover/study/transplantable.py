"""Which pairs of models can be transplanted, told from their settings: nothing is fitted or imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from crossover.protocol.component import Component, component

MODELS = ("logistic_regression", "linear_svm", "probe")
"""Models of crossover.model whose weights crossover.model.transplant can exchange."""

_WORDS = "crossover.model.features.word_tfidf.WordTfidf"


def comparable(old: Component, new: Component) -> str:
    """Empty where the two models' weights can be exchanged, else the reason.

    Settings are compared here; Transplant itself compares what was learned from the rows.
    """
    for part in (old, new):
        if not part.target.startswith("crossover.model.") or part.name not in MODELS:
            return f"{part.name} is not one of {', '.join(MODELS)}"
    if _reads(old) != _reads(new):
        return f"{old.name} and {new.name} do not read the same features"
    return ""


def _reads(part: Component) -> object:
    if "encoder" in part.settings:
        return cast(Component, part.settings["encoder"]).to_json()
    # The linear models' own default, left out of a component's settings.
    blocks = part.settings.get("features") or {"word": component(_WORDS)}
    return {name: block.to_json() for name, block in cast(Mapping[str, Component], blocks).items()}
