"""A crossover verdict and a comparison, as verdict.json would hold them, made by hand."""

from __future__ import annotations

import math

import numpy as np

SIZES = [50, 100, 200, 400, 800, 1600, 3200]
DECIDING = [400, 800, 1600, 3200]
_COSTS = {"tfidf": (0.08, 0.00012, 0.05), "probe": (0.4, 0.018, 1.9), "finetune": (9.0, 0.21, 4.4)}


def _score(arm: str, size: int) -> float:
    x = math.log2(size / 50)
    return {
        "tfidf": 0.935 - 0.36 * 0.62**x,
        "probe": 0.905 - 0.16 * 0.66**x,
        "finetune": 0.95 - 0.42 * 0.42**x,
    }[arm]


def _curve(arm: str, sizes: list[int], seed: int) -> list[dict[str, object]]:
    rng = np.random.default_rng(seed)
    curve: list[dict[str, object]] = []
    for size in sizes:
        stage = 2 if size in DECIDING else 1
        count = 1 if arm == "finetune" else 8 if stage == 2 else 2
        spread = 0.03 * (50 / size) ** 0.4
        draws = [float(v) for v in _score(arm, size) + spread * rng.standard_normal(count)]
        mean = sum(draws) / count
        half = spread * (1.1 if count == 8 else 6.0) + 0.006
        fixed, per_row, predict = _COSTS[arm]
        curve.append(
            {
                "size": size,
                "mean": mean,
                "low": max(0.0, mean - half),
                "high": min(1.0, mean + half),
                "draws": draws,
                "stage": stage,
                "log_loss": 1.6 * (1 - mean),
                "failed": 0,
                "absent_classes": 0.5 if size == 50 else 0.0,
                "labels": float(size),
                "runs": count,
                "fit_seconds": fixed + per_row * size * 0.1,
                "fit_seconds_cold": fixed + per_row * size,
                "predict_ms": predict,
                "peak_memory_mb": 310.0 + 0.01 * size,
                "tokens": 58.0 * size,
                "parameters": {"tfidf": 41_000, "probe": 3_080, "finetune": 22_700_000}[arm],
            }
        )
    return curve


def _differences(sizes: list[int], stage: int, seed: int) -> list[dict[str, object]]:
    rng = np.random.default_rng(seed)
    count = 8 if stage == 2 else 2
    rows: list[dict[str, object]] = []
    for size in sizes:
        mean = _score("probe", size) - _score("tfidf", size)
        spread = 0.014 * (400 / size) ** 0.3
        draws = [float(v) for v in mean + spread * rng.standard_normal(count)]
        middle = sum(draws) / count
        half = spread * (0.95 if stage == 2 else 9.5)
        rows.append(
            {
                "size": size,
                "mean": middle,
                "low": middle - half,
                "high": middle + half,
                "draws": draws,
                "n_draws": count,
                "rows": 1115,
                "overlap": size / 4000 if size > 250 else 0.0,
                "stage": stage,
            }
        )
    return rows


def _pair() -> dict[str, object]:
    return {
        "cheap": "tfidf",
        "expensive": "probe",
        "primary": True,
        "level": 0.95,
        "margin": 0.0,
        "kind": "stops_paying",
        "estimate": 918.0,
        "pieces": [{"low": 690.4, "high": 1306.2, "low_open": False, "high_open": False}],
        "draws_needed": "",
        "pilot": False,
        "exploratory": False,
        "reasons": ["above the margin at 400, below it at 1,600 and 3,200 (8 one-sided bounds, Bonferroni)"],
        "differences": _differences(DECIDING, 2, 7) + _differences(SIZES, 1, 8),
        "second_margin": {
            "margin": 0.01,
            "kind": "stops_paying",
            "estimate": 655.0,
            "pieces": [{"low": 402.0, "high": 880.0, "low_open": True, "high_open": False}],
            "draws_needed": "",
        },
        "log_loss": {
            "kind": "not_resolved",
            "estimate": None,
            "pieces": [{"low": 800.0, "high": 3200.0, "low_open": False, "high_open": True}],
            "draws_needed": "12 to 19 more draws",
        },
        "sentence": "probe beats tfidf up to about 918 rows and no longer after (95% interval 690 to 1,306)",
    }


def _illustration_pair() -> dict[str, object]:
    return {
        "cheap": "tfidf",
        "expensive": "finetune",
        "primary": False,
        "level": 0.95,
        "margin": 0.0,
        "kind": "not_resolved",
        "estimate": None,
        "pieces": [],
        "draws_needed": "",
        "pilot": True,
        "reasons": ["illustration: too few draws or sizes to decide anything"],
        "sentence": "illustration: too few draws or sizes to decide anything",
        "differences": [
            {"size": 50, "mean": 0.045, "draws": [0.045], "n_draws": 1, "overlap": 0.0, "stage": 2},
            {"size": 200, "mean": 0.09, "draws": [0.09], "n_draws": 1, "overlap": 0.0, "stage": 2},
        ],
    }


def _extrapolation() -> dict[str, dict[str, object]]:
    def entry(arm: str, law: str, ahead: list[float], reason: str) -> dict[str, object]:
        return {
            "law": law,
            "held_out": {
                "size": 3200,
                "predicted": ahead[0] - 0.006,
                "found": _score(arm, 3200),
                "error": abs(ahead[0] - 0.006 - _score(arm, 3200)),
                "last1_error": _score(arm, 3200) - _score(arm, 1600),
            },
            "fitted": [
                {"size": size, "mean": _score(arm, size)}
                for size in (SIZES[-1:] if law == "last1" else SIZES)
            ],
            "at": [
                {"size": factor * 3200, "mean": mean, "low": mean - 0.004 * factor, "high": mean + 0.006}
                for factor, mean in zip((2, 4), ahead, strict=True)
            ],
            "reason": reason,
        }

    return {
        "tfidf": entry("tfidf", "pow3", [0.924, 0.93], "closest at the 3,200 rows held out"),
        "probe": entry(
            "probe", "last1", [0.892, 0.892], "no law beat the last value at the 3,200 rows held out"
        ),
    }


def _corpus() -> dict[str, object]:
    return {
        "name": "docstrings",
        "fingerprint": "9f31c2a07be4d518",
        "rows": 24_310,
        "classes": ["matplotlib", "networkx", "numpy", "pandas", "scipy", "sklearn", "statsmodels", "sympy"],
        "card": {
            "source": "first paragraphs of the docstrings of the installed scientific packages, read by ast",
            "sampling": "every public function and class; library names and imports masked",
            "licence": "BSD-3-Clause, MIT; not redistributed",
            "dates": "2025-11 to 2026-10, by release",
            "population": "public docstrings of eight Python libraries",
            "seen_in_pretraining": "the encoder was trained on public code and its documentation",
            "notes": ["inherited docstrings repeat: grouped by near-duplicate cluster"],
            "versions": {"numpy": "2.3.5", "scipy": "1.16.3"},
        },
    }


def _split() -> dict[str, object]:
    return {
        "fingerprint": "4c0b77d1e95a2f63",
        "recipe": {"kind": "grouped", "seed": 0, "test": 0.2, "select": 0.05, "calibrate": 0.05},
        "sizes": {"train": 17_017, "select": 1_215, "calibrate": 1_216, "test": 4_862},
        "findings": [
            {
                "code": "near_duplicates_across",
                "severity": "warning",
                "title": "near-duplicates on both sides",
                "evidence": "14 of 4,862 test rows have a neighbour in train at Jaccard 0.8 or more",
                "remedy": "group by near-duplicate cluster (split=grouped)",
            },
            {
                "code": "balance",
                "severity": "info",
                "title": "classes are unequal",
                "evidence": "the largest class is 6.1 times the smallest",
                "remedy": "read macro-F1 beside accuracy",
            },
        ],
    }


def crossover_verdict() -> dict[str, object]:
    """A study with one primary pair, an illustration, two stages and everything optional."""
    arms: dict[str, dict[str, object]] = {
        "tfidf": {"title": "TF-IDF + logistic regression", "curve": _curve("tfidf", SIZES, 1)},
        "probe": {"title": "probe (minilm)", "curve": _curve("probe", SIZES, 2)},
        "finetune": {"title": "fine-tuning (minilm)", "curve": _curve("finetune", [50, 200], 3)},
    }
    for key, arm in arms.items():
        arm["component"] = {"target": f"crossover.model.{key}.{key.title()}", "settings": {"C": 1.0}}
        arm["illustration"] = key == "finetune"
    cost = [
        {"arm": key, **{name: value for name, value in point.items() if name != "draws"}, "envelope": None}
        for key, arm in arms.items()
        for point in arm["curve"]  # type: ignore[attr-defined]
    ]
    numbers: dict[str, object] = {
        "metric": "macro_f1",
        "axis": "labelled training rows (n)",
        "corpus": _corpus(),
        "split": _split(),
        "sizes": SIZES,
        "deciding_sizes": DECIDING,
        "arms": arms,
        "pairs": [_pair(), _illustration_pair()],
        "budgets": [
            {"trials": 1, "kind": "stops_paying"},
            {
                "trials": 8,
                "kind": "stops_paying",
                "estimate": 871.0,
                "pieces": [{"low": 640.0, "high": 1250.0, "low_open": False, "high_open": False}],
                "sentence": "probe beats tfidf up to about 871 rows and no longer after",
                "equal_seconds": {
                    "kind": "not_resolved",
                    "estimate": None,
                    "pieces": [{"low": 400.0, "high": 1300.0, "low_open": True, "high_open": False}],
                },
            },
        ],
        "prices": {"label": 0.1, "hour": 0.5, "volume": 100_000},
        "cost": cost,
        "extrapolation": _extrapolation(),
        "commands": {
            "study": "python scripts/study.py study=crossover data=docstrings split=grouped encoder=minilm",
            "run": [
                f"python scripts/run.py data=docstrings model=probe subset.size={size} subset.draw=0"
                for size in SIZES
            ],
        },
        "environment": {"python": "3.11.14", "torch": "2.10.0", "device": "cpu", "threads": 2},
        "looks": 3,
        "failures": [{"digest": "0badc0de0badc0de", "error": "MemoryError: the encoder needs 2.1 GB"}],
    }
    return {
        "study": "crossover",
        "kind": "stops_paying",
        "sentence": "On docstrings, probe beats tfidf up to about 918 rows and no longer after (95% interval "
        "690 to 1,306); probe minus tfidf, macro_f1 points: +2.3 at 400 rows [+0.9, +3.6], -2.3 at 3,200 "
        "[-3.0, -1.6]; log loss disagrees (not resolved).",
        "numbers": numbers,
        "population": "Over fresh draws of n rows from, seeds, and fresh test rows like, corpus docstrings "
        "(9f31c2a07be4d518); not other corpora, encoders or recipes.",
        "would_change": [
            "another margin than 0 points, metric than macro_f1, or tuning budget than 1, 8 trials an arm",
            "another population: a later month, another source, another encoder or recipe",
        ],
        "next_step": "Use probe while labels are fewer than the interval's lower end, tfidf above its upper "
        "end; inside it, choose by cost.",
        "flags": [
            "the encoder was trained on public code and its documentation",
            "finetune: one draw at [50, 200], an illustration and no evidence",
        ],
        "runs": [f"{k:016x}" for k in range(91, 91 + 45)],
    }


def compare_verdict() -> dict[str, object]:
    """A comparison of three arms on one split."""
    arms = [
        {
            "title": title,
            "scores": {
                "macro_f1": {"value": value, "low": value - 0.02, "high": value + 0.018, "n": 1115,
                             "method": "bootstrap over clusters, 2,000 draws"},
                "log_loss": {"value": 1.4 * (1 - value), "low": None, "high": None, "n": 1115,
                             "method": "none"},
            },
            "seeds": [0, 1, 2],
            "cost": {"fit_seconds_cold": seconds, "predict_ms": 0.4},
        }
        for title, value, seconds in (
            ("majority", 0.46, 0.001),
            ("TF-IDF + logistic regression", 0.931, 0.4),
            ("probe (minilm)", 0.944, 31.0),
        )
    ]  # fmt: skip
    pairs = [
        {"left": "probe (minilm)", "right": "TF-IDF + logistic regression",
         "difference": {"mean": 0.013, "low": -0.004, "high": 0.03, "p": 0.13}, "holm_p": 0.26,
         "equivalent": False, "equivalence": "equivalence not established within a margin of 0.01",
         "mcnemar": "of 1115 rows the first fitted model alone is right on 14"}
    ]  # fmt: skip
    return {
        "study": "compare",
        "kind": "not_resolved",
        "sentence": "On sms_spam, probe and TF-IDF cannot be told apart at 1,115 test rows.",
        "numbers": {
            "metric": "macro_f1",
            "corpus": _corpus(),
            "split": _split(),
            "arms": arms,
            "pairs": pairs,
        },
        "population": "over seeds and fresh test rows like sms_spam; not other corpora",
        "would_change": ["about 9 more seeds"],
        "next_step": "Run more seeds.",
        "flags": [],
        "runs": ["00000000000000aa"],
    }
