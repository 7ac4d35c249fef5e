"""How often a stopped optimiser is found by transplanted weights, and how often a converged one is accused.

    python benchmarks/detection_transplant.py --draws 50 --nulls 200

writes detection_transplant.json and detection_transplant.md to results/published/.

Each draw is a fresh inbox (five classes, 300 training mails). The old model's solver is allowed a number
of steps, the strength of the fault; the new model converges. An alarm is the verdict "optimisation": the
new weights, scaled, lower the old objective by more than 1e-6 of it. The nulls have the same pairs with
the old model at its defaults, converged. "as first written" is the rule with the duality gap in its
tolerance, max(gap, 1e-6 |J|): the gap bounds every saving, so it never alarms.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from crossover.data.inbox import Inbox
from crossover.measure.all_just_weights import CODES
from crossover.measure.interval import clopper_pearson
from crossover.model.classifier import Classifier
from crossover.model.linear_svm import LinearSvm
from crossover.model.logistic_regression import LogisticRegression
from crossover.model.transplant import Transplant

PUBLISHED = Path(__file__).resolve().parents[1] / "results" / "published"
ROWS = 300
STEPS = (1, 2, 3, 4, 5, 6)
Pair = tuple[Callable[[int | None], Classifier], Callable[[], Classifier]]


def lr(steps: int | None) -> Classifier:
    """Logistic regression at its defaults, but for the steps it is allowed."""
    return LogisticRegression() if steps is None else LogisticRegression(max_iter=steps)


def svm(steps: int | None) -> Classifier:
    """Linear SVM at its defaults, but for the steps it is allowed."""
    return LinearSvm() if steps is None else LinearSvm(max_iter=steps)


#: What is put into what: the old model by its allowed steps, and the new one.
PAIRS: dict[str, Pair] = {
    "LR stopped, LR run on": (lr, lambda: LogisticRegression(tol=1e-9)),
    "LR stopped, LR of C = 30": (lr, lambda: LogisticRegression(C=30.0)),
    "LR stopped, SVM": (lr, LinearSvm),
    "SVM stopped, SVM run on": (svm, lambda: LinearSvm(tol=1e-8)),
    "SVM stopped, LR": (svm, LogisticRegression),
}


def outcome(pair: Pair, steps: int | None, texts: Sequence[str], labels: Sequence[str]) -> dict[str, object]:
    """One transplant: its verdict, what the rule as first written says, and the distance exhibited."""
    numbers = Transplant(pair[0](steps), pair[1]()).fit(texts, labels, tuple(sorted(set(labels)))).history_[0]
    first_written = numbers["saving"] > max(numbers["gap"], numbers["tolerance"])
    return {
        "verdict": CODES[int(numbers["verdict"])],
        "first_written": first_written,
        "saving": numbers["saving"] / numbers["objective_old"],
        "gap": numbers["gap"] / numbers["objective_old"],
        "converged": numbers["old_converged"],
    }


def line(name: str, steps: int | None, found: Sequence[dict[str, object]]) -> dict[str, object]:
    """One line of the table: counts and rates of the draws of one pair and strength."""
    alarms = sum(one["verdict"] == "optimisation" for one in found)
    low, high = map(float, clopper_pearson(alarms, len(found)))
    ranked = {key: sorted(float(str(one[key])) for one in found) for key in ("saving", "gap")}
    return {
        "pair": name,
        "steps": steps,
        "draws": len(found),
        "alarms": alarms,
        "low": low,
        "high": high,
        "cleared": sum(one["verdict"] in ("regularisation", "not_lower") for one in found),
        "inconclusive": sum(one["verdict"] == "inconclusive" for one in found),
        "alarms_first_written": sum(bool(one["first_written"]) for one in found),
        "median_saving": ranked["saving"][len(found) // 2],
        "median_gap": ranked["gap"][len(found) // 2],
        "said_not_converged": sum(one["converged"] == 0.0 for one in found),
    }


def measure(draws: int, nulls: int, rows: int = ROWS, steps: Sequence[int] = STEPS) -> dict[str, object]:
    """All lines: every pair at every strength, and its nulls.

    Every strength of a pair meets the same draws; draw k is the inbox of seed k.
    """
    began, inboxes = time.perf_counter(), {}
    lines = []
    for name, pair in PAIRS.items():
        for strength, count in [*((step, draws) for step in steps), (None, nulls)]:
            found = []
            for seed in range(count):
                if seed not in inboxes:
                    table = Inbox(rows=rows, seed=seed).load().table
                    inboxes[seed] = table["text"].to_pylist(), table["label"].to_pylist()
                found.append(outcome(pair, strength, *inboxes[seed]))
            lines.append(line(name, strength, found))
    seconds = time.perf_counter() - began
    made = sum(int(str(one["draws"])) for one in lines)
    weakest = {name: weakest_found(name, lines) for name in PAIRS}
    return {"rows": rows, "seconds_a_transplant": seconds / made, "found_in_90": weakest, "lines": lines}


def weakest_found(name: str, lines: Sequence[dict[str, object]]) -> int | None:
    """The most steps up to which every strength is found in at least 90% of the draws; None if not even 1."""
    reached = None
    for one in lines:
        if one["pair"] != name or one["steps"] is None:
            continue
        if int(str(one["alarms"])) < 0.9 * int(str(one["draws"])):
            break
        reached = int(str(one["steps"]))
    return reached


def table(result: dict[str, object], command: str) -> str:
    """The lines as Markdown, with the command that makes them."""
    head = (
        "pair (old, new)", "old's steps", "alarms", "95% limits", "cleared", "inconclusive",
        "as first written", "median saving / J", "median gap / J",
    )  # fmt: skip
    text = [
        "# Transplanted weights: detection and false alarms",
        "",
        f"`{command}`: fresh inboxes of {result['rows']} training mails in five classes. An alarm is the "
        'verdict "optimisation". A line of converged models is a null: its alarms are false.',
        "",
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
    ]
    for one in result["lines"]:  # type: ignore[attr-defined]
        n = one["draws"]
        cells = (
            one["pair"], "converged" if one["steps"] is None else one["steps"], f"{one['alarms']} of {n}",
            f"{one['low']:.3f} to {one['high']:.3f}", one["cleared"], one["inconclusive"],
            one["alarms_first_written"], f"{one['median_saving']:.1g}", f"{one['median_gap']:.1g}",
        )  # fmt: skip
        text.append(f"| {' | '.join(map(str, cells))} |")
    found = result["found_in_90"]
    text += ["", "Found in at least 90% of the draws up to this many allowed steps:", ""]
    text += [
        f"- {name}: {'none of those tried' if steps is None else steps}"
        for name, steps in found.items()  # type: ignore[attr-defined]
    ]
    return "\n".join([*text, ""])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--draws", type=int, default=50, help="draws a strength")
    parser.add_argument("--nulls", type=int, default=200, help="draws of converged pairs")
    parser.add_argument("--rows", type=int, default=ROWS, help="training mails a draw")
    parser.add_argument("--to", type=Path, default=PUBLISHED)
    given = parser.parse_args(arguments)
    result = measure(given.draws, given.nulls, given.rows)
    command = (
        f"python benchmarks/detection_transplant.py --draws {given.draws} --nulls {given.nulls} "
        f"--rows {given.rows}"
    )
    given.to.mkdir(parents=True, exist_ok=True)
    stored = json.dumps({"command": command, **result}, indent=1, allow_nan=False)
    (given.to / "detection_transplant.json").write_text(stored + "\n", encoding="utf-8")
    (given.to / "detection_transplant.md").write_text(table(result, command), encoding="utf-8")


if __name__ == "__main__":
    main()
