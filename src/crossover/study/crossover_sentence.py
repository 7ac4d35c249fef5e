"""The words of a crossover verdict; every sentence names its sizes, interval and population."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from crossover.measure.metric.metric import metric_named
from crossover.protocol.component import Component
from crossover.split.split import Split

if TYPE_CHECKING:
    from crossover.study.crossover import CrossoverStudy

Json = Mapping[str, object]
LARGE_CLUSTER = 0.05
"""Share of the test rows in one cluster from which the reader is told of it."""
RESOLVED = ("starts_paying", "stops_paying", "several", "pays_throughout", "never_pays", "gain_vanished")


def title(part: Component) -> str:
    """A model in two or three words, its settings left to the table."""
    name = part.name.replace("_", " ")
    if part.settings.get("pretrained") is False:
        return f"{name} from random weights"
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
    words = []
    for piece in pieces:
        low = f"<= {sizes[0]:,}" if piece["low_open"] else f"{cast(float, piece['low']):,.0f}"
        high = f">= {sizes[-1]:,}" if piece["high_open"] else f"{cast(float, piece['high']):,.0f}"
        words.append(f"{low} to {high}")
    return " and ".join(words)


def pair(study: CrossoverStudy, entry: Json) -> str:
    """One pair's answer in a sentence."""
    cheap, dear = str(entry["cheap"]), str(entry["expensive"])
    differences = [d for d in cast(Sequence[Json], entry["differences"]) if d["stage"] == 2]
    sizes = sorted(cast(int, d["size"]) for d in differences)
    by_size = {cast(int, d["size"]): d for d in differences}
    first, last = by_size[sizes[0]], by_size[sizes[-1]]
    rows = _rows(study)
    level = f"{100 * cast(float, entry['level']):.3g}%"
    where = interval(cast(Sequence[Json], entry["pieces"]), sizes)
    where = f"{level} interval {where}" if where else f"no size on the grid is in the {level} set"
    root = entry["estimate"]
    at = f"about {cast(float, root):,.0f} {rows}" if root is not None else "a size not resolved"
    span = f"from {sizes[0]:,} to {sizes[-1]:,} {rows}"
    over = f" by {margin(study, entry['margin'])}" if entry["margin"] else ""
    said = {
        "stops_paying": f"{dear} beats {cheap}{over} up to {at} and no longer after ({where})",
        "starts_paying": f"{dear} begins to beat {cheap}{over} at {at} ({where})",
        "several": f"{dear} and {cheap} change places more than once {span} ({where})",
        "pays_throughout": f"{dear} beats {cheap}{over} at every size {span}",
        "never_pays": f"{dear} does not beat {cheap}{over} at any size {span}",
        "gain_vanished": f"the gain of {dear} over {cheap} has vanished by {sizes[-1]:,} {rows} "
        f"(within ±{margin(study, study.equivalence)})",
    }
    unresolved = f"whether {dear} beats {cheap}{over} is not resolved {span} ({where})"
    text = said.get(str(entry["kind"]), unresolved)
    if entry["exploratory"]:
        text = f"exploratory (a draw takes over half of the pool), not a verdict: {text}"
    elif entry["pilot"]:
        text = f"pilot of {first['n_draws']} draws, not a verdict: {text}"
    ends = f"{_spread(study, first)} at {sizes[0]:,} {rows}, {_spread(study, last)} at {sizes[-1]:,}"
    return f"{text}; lead of {dear} over {cheap} in {metric_title(study.metric)}: {ends}"


def headline(study: CrossoverStudy, primary: Json | None, tuned: Sequence[Json]) -> str:
    """The study's one sentence."""
    if primary is None:
        return f"On {study.corpus.name} nothing can be said: no run of both arms of the pair finished."
    parts = [f"On {study.corpus.name}, {primary['sentence']}"]
    loss = cast(Json, primary.get("log_loss") or {})
    if loss and loss["kind"] != primary["kind"] and study.metric != "log_loss":
        both = loss["kind"] in RESOLVED and primary["kind"] in RESOLVED
        parts.append(f"{'log loss disagrees' if both else 'by log loss'}: {brief(study, loss)}")
    second = cast(Json, primary.get("second_margin") or {})
    if second and second["kind"] != primary["kind"]:
        parts.append(f"at a margin of {margin(study, study.second_margin)}: {brief(study, second)}")
    costs = cast(Json, primary.get("cost_crossing") or {})
    if costs:
        must = plural(cast(float, costs["points"]), "point")
        parts.append(f"with costs counted (one unit must buy {must}): {brief(study, costs)}")
    changed = [
        f"{name}: {brief(study, answer)}"
        for name, answer in _by_budget(tuned)
        if answer["kind"] != primary["kind"]
    ]
    if changed:
        parts.append(f"the answer depends on the tuning budget ({', '.join(changed)})")
    return "; ".join(parts) + "."


def _by_budget(tuned: Sequence[Json]) -> Iterator[tuple[str, Json]]:
    for entry in tuned:
        yield plural(cast(int, entry["trials"]), "trial"), entry
        if "equal_seconds" in entry:
            yield "equal tuning seconds", cast(Json, entry["equal_seconds"])


def brief(study: CrossoverStudy, answer: Json) -> str:
    """An answer in a few words: its kind, and the size where there is one to name."""
    kind = "several changes" if answer["kind"] == "several" else str(answer["kind"]).replace("_", " ")
    root = answer["estimate"]
    crosses = answer["kind"] in ("starts_paying", "stops_paying")
    return f"{kind} at about {cast(float, root):,.0f} {_rows(study)}" if crosses and root else kind


def population(study: CrossoverStudy) -> str:
    """What the interval speaks of, and what it does not."""
    return (
        f"Over fresh draws of n rows from, seeds, and fresh test rows like, corpus {study.corpus.name} "
        f"({study.corpus.fingerprint}); not other corpora, encoders or recipes."
    )


def would_change(study: CrossoverStudy, primary: Json | None) -> tuple[str, ...]:
    """What would move the verdict."""
    notes = [
        f"another margin than {margin(study, study.margin)}, another metric than "
        f"{metric_title(study.metric)}, or another tuning budget than "
        f"{' and '.join(plural(budget, 'trial') for budget in study.budgets)} an arm",
        "another population: a later month, another source, another encoder or recipe",
    ]
    if primary is not None and primary["kind"] not in RESOLVED and primary["draws_needed"]:
        notes.insert(0, str(primary["draws_needed"]))
    return tuple(notes)


def next_step(study: CrossoverStudy, primary: Json | None) -> str:
    """The one step the verdict recommends."""
    if primary is None or not any(d["stage"] == 2 for d in cast(Sequence[Json], primary["differences"])):
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
    if primary["draws_needed"]:
        return f"What would resolve it: {primary['draws_needed']}."
    return "Add draws (study.draws) or test rows; the interval says which is short."


def flags(study: CrossoverStudy, numbers: Json, lost: Sequence[str]) -> tuple[str, ...]:
    """What must be shown wherever the sentence is."""
    found = list(lost)
    if study.corpus.card.seen_in_pretraining:
        found.append(study.corpus.card.seen_in_pretraining)
    share = largest_cluster(study.split)
    if share > LARGE_CLUSTER:
        found.append(
            f"one group or near-duplicate cluster holds {100 * share:.0f}% of the test rows: the answer "
            "hangs on whether a model gets that one right, and the interval shows it"
        )
    for arm, limit in study.limits.items():
        if limit.draws < 2:
            found.append(f"{arm}: one draw at {_sizes(limit.sizes)} rows, an illustration and no evidence")
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


def largest_cluster(split: Split) -> float:
    """Share of the test rows that lie in the largest of their clusters."""
    counts = Counter(split.groups[id_] for id_ in split.test if id_ in split.groups)
    return max(counts.values(), default=0) / len(split.test)


def _sizes(sizes: Sequence[int]) -> str:
    return " and ".join(f"{size:,}" for size in sizes)


def metric_title(name: str) -> str:
    """A metric as the field writes it."""
    return {"macro_f1": "macro-F1", "mcc": "MCC"}.get(name, name.replace("_", " "))


def plural(count: float, noun: str) -> str:
    """``1 point``, ``2 points``, ``0.5 points``."""
    return f"{count:g} {noun}" if count == 1 else f"{count:g} {noun}s"


def margin(study: CrossoverStudy, value: object) -> str:
    """A margin without a sign: points (hundredths) of a score, the plain number of a loss."""
    size = cast(float, value)
    if not metric_named(study.metric).larger_is_better:
        return f"{size:g}"
    return plural(round(100 * size, 4), "point")


def _rows(study: CrossoverStudy) -> str:
    return "rows" if study.scheme == "natural" else "rows a class"


def _spread(study: CrossoverStudy, difference: Json) -> str:
    """``+5.4 points [+4.4, +6.4]``; of a loss ``+0.054 [+0.044, +0.064]``, larger still better."""
    points = metric_named(study.metric).larger_is_better
    mean, low, high = (
        f"{100 * value:+.1f}" if points else f"{value:+.3f}"
        for value in (cast(float, difference[name]) for name in ("mean", "low", "high"))
    )
    return f"{mean}{' points' if points else ''} [{low}, {high}]"
