"""The words of a crossover verdict; every sentence names its sizes, interval and population."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from crossover.protocol.component import Component

if TYPE_CHECKING:
    from crossover.study.crossover import CrossoverStudy

Json = Mapping[str, object]
RESOLVED = ("starts_paying", "stops_paying", "several", "pays_throughout", "never_pays", "gain_vanished")


def title(part: Component) -> str:
    """A model in two or three words, its settings left to the table."""
    name = part.name.replace("_", " ")
    encoder = part.settings.get("encoder")
    if isinstance(encoder, Component):
        return f"{name} ({encoder.settings.get('name', 'minilm')})"
    return name


def axis(study: CrossoverStudy) -> str:
    """What n counts, for axes."""
    unit = "training rows" if study.scheme == "natural" else "training rows a class"
    extra = len(study.split.parts["select"]) if study.selection == "shared" else 0
    return f"labelled {unit} (n)" + (f" + {extra} validation rows" if extra else "")


def interval(pieces: Sequence[Json], sizes: Sequence[int]) -> str:
    """The inversion set in words: every piece, an open end as '<= n_1' or '>= n_J'."""
    if not pieces:
        return "no size on the grid"
    words = []
    for piece in pieces:
        low = f"<= {sizes[0]}" if piece["low_open"] else f"{cast(float, piece['low']):,.0f}"
        high = f">= {sizes[-1]}" if piece["high_open"] else f"{cast(float, piece['high']):,.0f}"
        words.append(f"{low} to {high}")
    return " and ".join(words)


def pair(study: CrossoverStudy, entry: Json) -> str:
    """One pair's answer in a sentence."""
    cheap, dear = str(entry["cheap"]), str(entry["expensive"])
    differences = [d for d in cast(Sequence[Json], entry["differences"]) if d["stage"] == 2]
    sizes = sorted(cast(int, d["size"]) for d in differences)
    by_size = {cast(int, d["size"]): d for d in differences}
    first, last = by_size[sizes[0]], by_size[sizes[-1]]
    where = interval(cast(Sequence[Json], entry["pieces"]), sizes)
    level = f"{100 * cast(float, entry['level']):.0f}%"
    ends = f"{_spread(first)} at {sizes[0]:,} rows, {_spread(last)} at {sizes[-1]:,}"
    root = entry["estimate"]
    at = f"about {cast(float, root):,.0f} rows" if root is not None else "an unresolved size"
    span = f"from {sizes[0]:,} to {sizes[-1]:,} rows"
    over = "" if not entry["margin"] else f" by {_points(entry['margin'])} points"
    said = {
        "stops_paying": f"{dear} beats {cheap}{over} up to {at}, not after ({level} interval {where})",
        "starts_paying": f"{dear} begins to beat {cheap}{over} at {at} ({level} interval {where})",
        "several": f"{dear} and {cheap} change places more than once {span} ({level} set {where})",
        "pays_throughout": f"{dear} beats {cheap}{over} at every size {span}",
        "never_pays": f"{dear} does not beat {cheap}{over} at any size {span}",
        "gain_vanished": f"the gain of {dear} over {cheap} has vanished by {sizes[-1]:,} rows "
        f"(within ±{_points(study.equivalence)} points)",
    }
    kind = str(entry["kind"])
    text = said.get(kind, f"between {cheap} and {dear} nothing is resolved {span} ({level} set {where})")
    if entry["pilot"]:
        text = f"pilot, not a verdict: {text}"
    if entry["exploratory"]:
        text = f"exploratory (draws share over half the pool), not a verdict: {text}"
    return f"{text}; {dear} minus {cheap}, {study.metric} points: {ends}"


def headline(study: CrossoverStudy, primary: Json | None, tuned: Sequence[Json]) -> str:
    """The study's one sentence."""
    if primary is None:
        return f"On {study.corpus.name} nothing can be said: no run of both arms of the pair finished."
    text = f"On {study.corpus.name}, {primary['sentence']}"
    loss = cast(Json, primary.get("log_loss") or {})
    if loss and loss["kind"] != primary["kind"]:
        text += f"; log loss disagrees ({str(loss['kind']).replace('_', ' ')})"
    second = cast(Json, primary.get("second_margin") or {})
    if second and second["kind"] != primary["kind"]:
        kind = str(second["kind"]).replace("_", " ")
        text += f"; at a margin of {_points(study.second_margin)} points: {kind}"
    changed = [t for t in tuned if t["kind"] != primary["kind"]]
    if changed:
        kinds = ", ".join(f"{t['trials']} trials: {str(t['kind']).replace('_', ' ')}" for t in changed)
        text += f"; the answer depends on the tuning budget ({kinds})"
    return text + "."


def population(study: CrossoverStudy) -> str:
    """What the interval speaks of, and what it does not."""
    return (
        f"Over fresh draws of n rows from, seeds, and fresh test rows like, corpus {study.corpus.name} "
        f"({study.corpus.fingerprint}); not other corpora, encoders or recipes."
    )


def would_change(study: CrossoverStudy, primary: Json | None) -> tuple[str, ...]:
    """What would move the verdict."""
    notes = [
        f"another margin than {_points(study.margin)} points, metric than {study.metric}, or tuning budget "
        f"than {', '.join(map(str, study.budgets))} trials an arm",
        "another population: a later month, another source, another encoder or recipe",
    ]
    if primary is not None and primary["kind"] not in RESOLVED and primary["draws_needed"]:
        notes.insert(0, str(primary["draws_needed"]))
    return tuple(notes)


def next_step(study: CrossoverStudy, primary: Json | None) -> str:
    """The one step the verdict recommends."""
    if primary is None:
        return (
            "Look at the failed runs (failed/ in the store), mend their cause and run the same command again."
        )
    cheap, dear = study.cheap, study.expensive
    steps = {
        "stops_paying": f"Use {dear} while labels are fewer than the interval's lower end, {cheap} above its "
        "upper end; inside it, choose by cost.",
        "starts_paying": f"Stay with {cheap} below the interval; label past its upper end to use {dear}.",
        "pays_throughout": f"Use {dear} at these sizes if its cost is bearable; extend the grid upward "
        "to find where it stops.",
        "never_pays": f"Use {cheap}; spend the saving on labels and on reading errors.",
        "gain_vanished": f"Use {cheap} at the largest sizes; the difference left is within the margin.",
        "several": "Add draws at the sizes where the sign changes before believing any of the changes.",
    }
    kind = str(primary["kind"])
    if primary["pilot"]:
        return "Run at least 8 deciding draws (study.draws=8): four or fewer rarely resolve anything."
    if primary["exploratory"]:
        return (
            "Bring more rows, or ask for smaller sizes: draws that share over half the pool decide nothing."
        )
    if kind in steps:
        return steps[kind]
    return (
        str(primary["draws_needed"])
        or "Add draws (study.draws) or test rows; the interval says which is short."
    )


def flags(study: CrossoverStudy, primary: Json | None, numbers: Mapping[str, object]) -> tuple[str, ...]:
    """What must be shown wherever the sentence is."""
    found = []
    if study.corpus.card.seen_in_pretraining:
        found.append(study.corpus.card.seen_in_pretraining)
    for arm, limit in study.limits.items():
        if limit.draws < 2:
            found.append(f"{arm}: one draw at {list(limit.sizes)}, an illustration and no evidence")
        elif limit.draws <= 4:
            found.append(f"{arm}: {limit.draws} draws, a pilot; three draws rarely resolve anything")
    for name, shown in cast(Mapping[str, Json], numbers["arms"]).items():
        failures = sum(cast(int, point["failed"]) for point in cast(Sequence[Json], shown["curve"]))
        runs = sum(cast(int, point["runs"]) for point in cast(Sequence[Json], shown["curve"]))
        if failures:
            found.append(
                f"{name}: {failures} of {runs} runs failed (on the select half not above the majority rule); "
                "they are counted in every mean"
            )
    encoders = {
        encoder.settings.get("name", "minilm")
        for model in study.arms.values()
        if isinstance(encoder := model.settings.get("encoder"), Component)
    }
    if len(encoders) > 1:
        found.append("arms use different encoders: method and encoder are confounded")
    return tuple(found)


def _spread(difference: Json) -> str:
    low, high = _points(difference["low"]), _points(difference["high"])
    return f"{_points(difference['mean'])} [{low}, {high}]"


def _points(value: object) -> str:
    return f"{100 * cast(float, value):+.1f}" if value else "0"
