"""What arms learned outside the split: predictions of another system, encoders that may have met the texts.

A split keeps test rows from what is fitted here. It says nothing of a system whose predictions are read
from a file, nor of the text that an encoder was pretrained on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import cast

from crossover.data.corpus import Corpus
from crossover.look.finding import Finding
from crossover.split.goal import time_columns
from crossover.study.study import Study

ENCODER, EXTERNAL = ".encoder.Encoder", ".External"
RELEASED = {
    "minilm": 2021,
    "sentence-transformers/all-MiniLM-L6-v2": 2021,
    "distilbert/distilbert-base-uncased": 2019,
}
"""Year in which an encoder was released: its training text is older."""
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")


def fitted_elsewhere(study: Study) -> list[Finding]:
    """Findings on what the arms of a study learned where no split reaches."""
    arms = cast(Mapping[str, Mapping[str, object]], study.settings().get("arms", {}))
    return [*_predictions(arms), *_encoders(arms, study.corpus)]


def _predictions(arms: Mapping[str, Mapping[str, object]]) -> list[Finding]:
    outside = sorted(arm for arm, model in arms.items() if str(model["target"]).endswith(EXTERNAL))
    if not outside:
        return []
    return [
        Finding(
            "fitted-elsewhere",
            "info",
            f"{', '.join(outside)}: predictions of another system; whether anything in it was fitted on "
            "rows outside train cannot be seen from here",
            {"arms": outside},
            "ask whoever made the file which rows its vocabulary, scaling, thresholds and prompts were "
            "chosen on",
        )
    ]


def _encoders(arms: Mapping[str, Mapping[str, object]], corpus: Corpus) -> list[Finding]:
    users: dict[str, list[str]] = {}
    for arm, model in sorted(arms.items()):
        for name in sorted(set(_pretrained(model))):
            users.setdefault(name, []).append(arm)
    newest, findings = newest_year(corpus), []
    for name, by in sorted(users.items()):
        released = RELEASED.get(name)
        if released is not None and newest is not None and newest > released:
            continue
        if released is None:
            known = f"no year is known in which {name} was released"
        elif newest is None:
            known = (
                "neither a time column nor the card says of which years the texts are, "
                f"{name} is of {released}"
            )
        else:
            known = f"the newest text is of {newest}, {name} was released in {released}"
        findings.append(
            Finding(
                "older-than-encoder",
                "info",
                f"{known}: that it met these texts in pretraining cannot be excluded",
                {"encoder": name, "arms": by, "released": released, "newest": newest},
                f"the lead of {', '.join(by)} over arms without pretraining may be memory in part: ask again "
                f"on text written after {released or 'the encoder'}",
            )
        )
    return findings


def _pretrained(model: object) -> Iterator[str]:
    """Names of the encoders below a component whose pretrained weights it uses."""
    if isinstance(model, list):
        for one in model:
            yield from _pretrained(one)
    if not isinstance(model, Mapping):
        return
    settings = cast(Mapping[str, object], model.get("settings", model))
    if str(model.get("target", "")).endswith(ENCODER):
        yield str(settings.get("name", "minilm"))
    elif settings.get("pretrained") is not False:
        for value in settings.values():
            yield from _pretrained(value)


def newest_year(corpus: Corpus) -> int | None:
    """The latest year of the first time column, else the latest that the card's dates name; None: neither."""
    for column in time_columns(corpus)[:1]:
        years = [int(str(value)[:4]) for value in corpus.meta_values(column) if value]
        if years:
            return max(years)
    named = [int(year) for year in _YEAR.findall(corpus.card.dates)]
    return max(named, default=None)
