"""What a diagnosis finds beside its table: rivals, words, the course of training, weights, the reference.

None of these is a verdict. Each is a finding with its evidence, ranked below what the table decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from crossover.measure.all_just_weights import judge, threshold_tuned
from crossover.measure.metric.metric import metric_named
from crossover.measure.oscillation import Course, course
from crossover.measure.paired import paired_difference
from crossover.measure.score import Score
from crossover.measure.simultaneous import Bounded, bounds_of, equivalent_to_zero
from crossover.measure.two_way import paired_mean, upper_draw_square
from crossover.measure.words_apart import FEWEST_TEXTS, words_apart
from crossover.record.run_record import RunRecord
from crossover.study.diagnosis_evidence import Reader
from crossover.study.diagnosis_findings import Evidence, Finding
from crossover.study.grid import median_cost

Json = dict[str, object]
Pairs = Sequence[tuple[RunRecord, RunRecord]]
MUCH_SLOWER = 2.0
"""Times the seconds from which a model is called slower: below, one timing a run says too little."""


def comparison(
    reader: Reader, pairs: Pairs, names: tuple[str, str], margin: float, overlap: float
) -> tuple[Json, list[Finding]]:
    """Subject against another arm at n: error difference paired by draw, and the ratio of cost."""
    subject, other = names
    rows = reader.errors([record for pair in pairs for record in pair])
    mean = paired_mean(rows[0::2] - rows[1::2], overlap, reader.clusters(pairs[0][0]))
    gap = bounds_of(mean, reader.level, signed=True)
    same = equivalent_to_zero(mean, margin)
    costs = [median_cost([pair[side] for pair in pairs]) for side in (0, 1)]
    ratio = _ratio(costs[0]["fit_seconds_cold"], costs[1]["fit_seconds_cold"])
    row: Json = {
        "arm": other,
        "difference": gap.to_json(),
        "equivalent": same.equivalent,
        "equivalence": same.sentence,
        "fit_seconds_ratio": ratio,
        "predict_ratio": _ratio(costs[0]["predict_ms_cold"], costs[1]["predict_ms_cold"]),
    }
    times = f"; fitting takes {ratio:.1f} times as long" if ratio is not None else ""
    seen = f"error of {subject} minus that of {other}: {gap.mean:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]"
    refute = "fresh draws on which the paired difference changes side"
    if gap.low > 0:
        title = f"{subject} is worse than the simpler {other}"
        step = f"Use {other}, or find what {subject} loses: start with the rows only {other} gets right."
        return row, [Finding("worse_than_simpler", "serious", title, seen + times, step, refute)]
    slower = ratio is not None and ratio >= MUCH_SLOWER
    if same.equivalent and slower:
        title = f"{subject} is no better than the simpler {other}, and slower"
        return row, [Finding("slower", "warning", title, f"{same.sentence}{times}", f"Use {other}.", refute)]
    if gap.high < 0:
        return row, [Finding("beats_simpler", "fine", f"{subject} beats the simpler {other}", seen + times)]
    title = f"Whether {subject} beats the simpler {other} is not resolved"
    step = "Ask study=compare with more draws, or score more validation rows."
    return row, [Finding("not_beaten", "note", title, seen + times, step, refute)]


def _ratio(one: float, other: float) -> float | None:
    return one / other if other > 0 else None


def apart(reader: Reader, pairs: Pairs, text_of: Mapping[str, str], names: tuple[str, str]) -> Json:
    """Rows only one of two arms gets right in most draws, and the words that set them apart.

    Each side is compared with all other scored rows. Fewer than 5 such rows say nothing of words.
    """
    ids = reader.scored(pairs[0][0]).ids
    right = []
    for side in (0, 1):
        tables = [reader.scored(pair[side]).rows(ids) for pair in pairs]
        right.append(np.mean([t.predicted_index == t.gold_index for t in tables], axis=0) > 0.5)
    found: Json = {"rows": len(ids), "rule": "right in more than half of the draws"}
    for k, name in enumerate(names):
        only = right[k] & ~right[1 - k]
        alone = [text_of[id_] for id_, own in zip(ids, only, strict=True) if own]
        words = words_apart(alone, [text_of[id_] for id_, own in zip(ids, only, strict=True) if not own])
        found["subject" if k == 0 else "other"] = {
            "arm": name,
            "only_right": int(only.sum()),
            "ids": [id_ for id_, own in zip(ids, only, strict=True) if own][:50],
            "words": [word.to_json() for word in words],
            "note": "" if len(alone) >= FEWEST_TEXTS else f"under {FEWEST_TEXTS} rows: no words asked",
        }
    return found


def word_findings(found: Json) -> list[Finding]:
    """One finding a side that holds a word beyond chance."""
    made = []
    for side in ("subject", "other"):
        entry = found.get(side)
        if not isinstance(entry, dict):
            continue
        words = [word for word in entry["words"] if word["p"] <= 0.05 and word["z"] > 0]
        if words:
            named = ", ".join(f"{w['word']} ({w['first']} rows, P = {w['p']:.3f})" for w in words[:5])
            made.append(
                Finding(
                    f"words_{side}",
                    "note",
                    f"Words set apart the {entry['only_right']} rows that only {entry['arm']} gets right",
                    f"{named}; P corrected for all words",
                    "Read those rows; a feature for what they share is a feature the other model lacks.",
                    "the other model with that feature, no closer on these rows",
                )
            )
    return made


def courses(records: Sequence[RunRecord]) -> list[Course]:
    """The course of each run whose history has a loss a step."""
    found = []
    for record in records:
        steps = [entry for entry in record.history if "loss" in entry and "step" in entry]
        if steps:
            norms = [entry["gradient_norm"] for entry in steps if "gradient_norm" in entry]
            found.append(course([entry["loss"] for entry in steps], norms))
    return found


def course_findings(found: Sequence[Course], records: Sequence[RunRecord], e: Evidence) -> list[Finding]:
    """Oscillation, divergence and solvers that stopped early: evidence only if the intervention works."""
    made = []
    believed = any(c.high < -e.tolerance.get(name, 0.0) for name, c in e.lowered.items())
    what = "believed: an intervention lowers the objective" if believed else (
        "no intervention lowers the objective: shown, not believed" if e.lowered
        else "shown only; no intervention was run, for the training error did not call for one"
    )  # fmt: skip
    step = "Lower the rate or lengthen the warm-up." if believed else "None: look at the table's verdict."
    refute = "the same run at a third of the rate whose objective is no lower"
    for code, word in (("oscillates", "oscillates"), ("diverges", "ends above its lowest")):
        count = sum(getattr(c, code) is True for c in found)
        if count:
            title = f"The training loss {word} in {count} of {len(found)} runs"
            norm = [c.gradient_norm for c in found if c.gradient_norm is not None]
            seen = f"{what}; median gradient norm {np.median(norm):.3g}" if norm else what
            made.append(Finding(code, "warning" if believed else "note", title, seen, step, refute))
    told = [c for c in found if c.oscillates is not None]
    if told and not made:
        seen = f"loss neither oscillates nor ends above its lowest in {len(told)} runs"
        made.append(Finding("course", "fine", "The training loss falls steadily", seen))
    early = sum(entry.get("converged") == 0.0 for record in records for entry in record.history)
    if early:
        title = f"The solver stopped before it converged in {early} of {len(records)} runs"
        again = "Raise max_iter (the intervention does)." if believed else step
        made.append(Finding("not_converged", "warning" if believed else "note", title, what, again, refute))
    return made


def weights(
    reader: Reader, old: tuple[str, RunRecord], new: tuple[str, RunRecord], transplant: RunRecord
) -> tuple[Json, Finding] | None:
    """The better linear model's weights in the worse one's objective, judged; None without numbers."""
    if not transplant.history or "objective_scaled" not in transplant.history[0]:
        return None
    numbers = transplant.history[0]
    metric = metric_named(reader.metric.name)
    select = [record.predictions.part("select") for _, record in (old, new)]
    if not len(select[0]):
        return None
    gain = paired_difference(select[1], select[0], metric, reader.groups)
    calibrate, tuned = old[1].predictions.part("calibrate"), None
    if len(calibrate):
        shifted = threshold_tuned(calibrate, select[0], metric)
        tuned = paired_difference(select[1], shifted, metric, reader.groups)
    if not metric.larger_is_better:
        gain, tuned = _turned(gain), None if tuned is None else _turned(tuned)
    found = judge(numbers, gain, tuned, old[0], new[0])
    row: Json = {
        "old": old[0],
        "new": new[0],
        "kind": found.kind,
        "certificate": found.certificate,
        "sentence": found.sentence,
        "numbers": dict(numbers),
        "gain": gain.to_json(),
        "gain_tuned": None if tuned is None else tuned.to_json(),
    }
    severity = "note" if found.kind in ("not_better", "inconclusive") and not found.certificate else "warning"
    title = f"They are all just weights: {found.kind.replace('_', ' ')} ({old[0]} against {new[0]})"
    return row, Finding(
        f"weights_{found.kind}", severity, title, found.sentence, found.next_step, found.would_change
    )


def _turned(score: Score) -> Score:
    """A difference of a loss with its sign turned, so that above 0 favours the new model."""
    value, low, high = (None if v is None else -v for v in (score.value, score.high, score.low))
    return replace(score, value=value, low=low, high=high)


def reference(name: str, size: int, error: Bounded, subject: Bounded | None) -> Finding:
    """The 1-nearest-neighbour reference: how hard the rows are for a model without a theory."""
    beside = f"; the subject's is {subject}" if subject is not None else ""
    return Finding(
        "reference",
        "note",
        f"1-NN reference ({name}): what error may remain",
        f"error {error} at {size:,} rows{beside}; a reference, not a bound on what can be reached",
        "Where both are far above the target, ask whether a person can label these rows.",
        "the reference with another encoder or more rows",
    )


def spread(reader: Reader, records: Sequence[RunRecord], e: Evidence, overlap: float) -> Finding | None:
    """Whether the spread over training draws could be what keeps the error above the target."""
    if len(records) < 3 or e.validation is None:
        return None
    mean = reader.validation(records, overlap)
    square = float(upper_draw_square(np.asarray(mean.components["MSA"]), mean.draws))
    sd = float(np.sqrt(square / mean.rows / (1 - overlap)))
    distance = e.validation.low - e.target
    seen = f"SD over draws at most {sd:.4f} (80% limit, noise of single rows included), error - target >= "
    seen += f"{distance:.4f}"
    if distance > 0 and sd < distance:
        return Finding("variance", "fine", "Fixing the variance over training draws would not matter", seen)
    return None


def no_gap(reader: Reader, records: Sequence[RunRecord], margin: float, overlap: float) -> Finding | None:
    """Training = validation, an equivalence result and never a non-significance."""
    rows = reader.errors(records) - np.array([[reader.training_error(r)] for r in records])
    mean = paired_mean(rows, overlap, reader.clusters(records[0]))
    same = equivalent_to_zero(mean, margin)
    if not same.equivalent:
        return None
    return Finding(
        "no_gap", "fine", "Training and validation errors are equal within the margin", same.sentence
    )


def no_signal(p: float | None, permutations: int) -> Finding | None:
    """Nothing shows that the model learnt anything: its score lies among those of permuted labels."""
    if p is None or p <= 0.05 or permutations < 19:
        return None
    return Finding(
        "no_signal",
        "serious",
        "Nothing shows that it has learnt anything",
        f"its score lies among those of {permutations} runs on permuted labels (P = {p:.3f})",
        "Check that each text still stands beside its own label (a shifted join, shuffled labels).",
        "the same comparison on rows whose labels were checked by hand",
    )
