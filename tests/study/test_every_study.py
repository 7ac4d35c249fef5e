"""What every study promises: a pinned plan, fair arms, a name that follows its settings, a pure verdict."""

import builtins
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from handmade import answered
from toy import bayes, logistic, toy_corpus, toy_split

from crossover.data.corpus import Corpus
from crossover.protocol.component import component
from crossover.protocol.run_spec import RunSpec, digest_of
from crossover.record.run_record import RunRecord
from crossover.split.split import Split
from crossover.study.ablation import AblationStudy
from crossover.study.artifacts import ArtifactsStudy
from crossover.study.calibration import CalibrationStudy
from crossover.study.compare import CompareStudy
from crossover.study.crossover import CrossoverStudy, Limit
from crossover.study.diagnosis import DiagnosisStudy
from crossover.study.fold_variance import FoldVarianceStudy
from crossover.study.leakage import LeakageStudy
from crossover.study.regularization_path import RegularizationPathStudy
from crossover.study.seed_variance import SeedVarianceStudy
from crossover.study.study import Study, study_name

CORPUS = toy_corpus(800)
SPLIT = toy_split(CORPUS)
OTHER = toy_corpus(800, seed=1)
ARMS = {"plain": bayes(), "rich": logistic()}
DEARER = {**ARMS, "dear": logistic().with_settings(C=50)}


@dataclass
class Case:
    """A study, the sizes of its batches, and another value for each of its settings."""

    make: Callable[[Corpus, Split], Any]
    batches: tuple[int, ...]
    changes: dict[str, object]


COMPARE_CHANGES: dict[str, object] = {
    "arms": DEARER, "seeds": 2, "size": 100, "draws": 4, "pools": 8, "metric": "mcc", "equivalence": 0.02,
    "budget": 2, "selection": "shared", "test_rows": 50, "looks": 3,
}  # fmt: skip
CROSSOVER_CHANGES: dict[str, object] = {
    "arms": DEARER, "cheap": "rich", "expensive": "plain", "sizes": (30, 60), "locate_draws": 1, "draws": 2,
    "seeds": 2, "pools": 6, "scheme": "per_class", "metric": "mcc", "margin": 0.02, "second_margin": 0.03,
    "equivalence": 0.02, "budgets": (1, 2), "selection": "shared", "limits": {"dear": Limit((30,))},
    "prices": {"hour": 1.0}, "test_rows": 50, "named_ends": True,
    "looks": 3,
}  # fmt: skip


def resplit(seed: int) -> Split:
    return toy_split(CORPUS, seed=100 + seed)


SEED_VARIANCE_CHANGES: dict[str, object] = {
    "arms": DEARER, "draws": 3, "seeds": 4, "size": 45, "pools": 8, "crossed_draws": 1, "crossed_seeds": 2,
    "designs": {"plain": [2, 2]}, "differences": (0.03,), "resplits": 2, "resplit": resplit, "metric": "mcc",
    "budget": 2, "selection": "shared", "test_rows": 50,
}  # fmt: skip
FOLD_CHANGES: dict[str, object] = {
    "arms": DEARER, "target": 0.1, "k": 6, "seeds": 1, "metric": "mcc", "budget": 2,
}  # fmt: skip
L1 = {
    name: component("crossover.model.l1_path.L1Path", {"max_features": most, "pairs": 50})
    for name, most in (("open", 50), ("short", 20))
}
BLOCKS = {
    name: {"_target_": "crossover.model.features.word_tfidf.WordTfidf", "ngram_max": most}
    for most, name in enumerate("abc", 1)
}
BLOCKED = component("crossover.model.logistic_regression.LogisticRegression", {"features": BLOCKS})
ABLATION_CHANGES: dict[str, object] = {
    "arms": {"whole": BLOCKED.with_settings(C=5)},
    "components": {"a": {"off": {"features.a": None}}, "c": {"on": {"C": 1.0}}},
    "impossible": [{"on": ["a"], "off": ["b"]}], "design": "full", "draws": 4, "seeds": 2, "size": 50,
    "pools": 9, "metric": "mcc", "budget": 2, "selection": "shared", "test_rows": 50,
}  # fmt: skip
CALIBRATION_CHANGES: dict[str, object] = {
    "arms": DEARER, "seeds": 3, "size": 100, "pools": 8, "simulations": 199, "metric": "mcc", "budget": 2,
    "selection": "shared", "test_rows": 50,
}  # fmt: skip
LEAKAGE_CHANGES: dict[str, object] = {
    "arms": DEARER, "stratum": "normalised", "threshold": 0.25, "repartitions": 4, "seeds": 2, "goal": "new",
    "margin": 0.01, "resplit": lambda seed: toy_split(CORPUS, seed=200 + seed), "metric": "mcc", "budget": 2,
    "looks": 3,
}  # fmt: skip
DIAGNOSIS_CHANGES: dict[str, object] = {
    "arms": DEARER, "subject": "plain", "simpler": None, "reference": "dear", "target": 0.2,
    "sizes": (20, 40, 80), "draws": 4, "permutations": 7, "null_rows": 60, "pools": 8, "metric": "mcc",
    "part": "test", "equivalence": 0.02, "audited": 50, "disagreed": 5,
    "interventions": {"own": {"C": 9.0}}, "test_rows": 50,
}  # fmt: skip
ARTIFACTS_CHANGES: dict[str, object] = {
    "arms": DEARER, "subject": "plain", "reader": "plain", "marks": {"claims": "claim"},
    "columns": {"number": []}, "suspects": ("length",), "first_words": 1, "typos": 0.2,
    "candidates": 2, "precision": 0.9, "notable": 0.2, "tolerance": 0.1, "margin": 0.02, "metric": "mcc",
    "test_rows": 50, "looks": 3,
}  # fmt: skip
CASES = {
    "compare": Case(
        lambda corpus, split: CompareStudy(corpus, split, ARMS, metric="accuracy"), (6,), COMPARE_CHANGES
    ),
    "compare over draws": Case(
        lambda corpus, split: CompareStudy(corpus, split, ARMS, size=40, draws=3, seeds=2),
        (12,),
        COMPARE_CHANGES,
    ),
    "crossover": Case(
        lambda corpus, split: CrossoverStudy(
            corpus, split, ARMS, "plain", "rich", (30, 60, 120), draws=3, pools=5, metric="accuracy"
        ),
        (2 * 3 * 2, 2 * 3 * 3),
        CROSSOVER_CHANGES,
    ),
    "crossover, tuned, with a dear arm": Case(
        lambda corpus, split: CrossoverStudy(
            *(corpus, split, DEARER, "plain", "rich", (20, 40, 60, 80, 120)),
            locate_draws=1, draws=2, seeds=2, budgets=(1, 3), limits={"dear": Limit((40,), 1, 100)},
        ),
        (2 * 5 * 1 * 2 * 2 + 2, 2 * 4 * 2 * 2 * 2),
        CROSSOVER_CHANGES,
    ),
    "seed variance": Case(
        lambda corpus, split: SeedVarianceStudy(
            corpus, split, ARMS, draws=6, seeds=3, size=40, resplit=resplit
        ),
        (36,),
        SEED_VARIANCE_CHANGES,
    ),
    "ablation": Case(
        lambda corpus, split: AblationStudy(corpus, split, {"whole": BLOCKED}, draws=3, metric="accuracy"),
        (2**3 * 3,),
        ABLATION_CHANGES,
    ),
    "artifacts": Case(
        lambda corpus, split: ArtifactsStudy(corpus, split, ARMS, "rich", marks={"prize": "prize"}),
        # two arms, length and formatting, seven partial inputs, three remedies of the mark
        (2 + 2 + 7 + 3,),
        ARTIFACTS_CHANGES,
    ),
    "calibration": Case(
        lambda corpus, split: CalibrationStudy(corpus, split, ARMS, seeds=2, simulations=99),
        (4,),
        CALIBRATION_CHANGES,
    ),
    "diagnosis": Case(
        lambda corpus, split: DiagnosisStudy(
            corpus, split, ARMS, "rich", "plain", None,
            sizes=(30, 60, 120), draws=3, permutations=5, pools=5, metric="accuracy",
        ),
        (2 * 3 * 3 + 5 + 3 + 3, 3 + 3),
        DIAGNOSIS_CHANGES,
    ),
    "fold variance": Case(
        lambda corpus, split: FoldVarianceStudy(corpus, split, ARMS, k=5, metric="accuracy"),
        (20,),
        FOLD_CHANGES,
    ),
    "leakage": Case(
        lambda corpus, split: LeakageStudy(
            *(corpus, split, ARMS), threshold=0.3, repartitions=3,
            resplit=resplit if corpus is CORPUS else None,
        ),
        (2 * (3 * 2 + 2),),
        LEAKAGE_CHANGES,
    ),
    "regularization path": Case(
        lambda corpus, split: RegularizationPathStudy(corpus, split, L1),
        (2,),
        {"arms": {"open": L1["open"]}, "pairs": 10, "threshold": 0.8, "false_selections": 2.0,
         "metric": "mcc", "test_rows": 50},
    ),
}  # fmt: skip


def lead(model: str, size: int) -> float:
    return 0.70 + (0.06 if model == "logistic_regression" else 0.0) * (1 if size < 70 else -1)


@dataclass
class Answered:
    case: Case
    study: Any
    verdict: Any
    records: dict[str, RunRecord]
    batches: list[list[RunSpec]]


@pytest.fixture(scope="module", params=list(CASES))
def done(request: pytest.FixtureRequest) -> Answered:
    case = CASES[request.param]
    study = case.make(CORPUS, SPLIT)
    return Answered(case, study, *answered(study, lead))


def as_json(study: Study, records: dict[str, RunRecord]) -> str:
    return json.dumps(study.conclude(records).to_json(), allow_nan=False, sort_keys=True)


def test_the_size_of_the_plan_is_known_beforehand(done: Answered) -> None:
    assert tuple(len(batch) for batch in done.batches) == done.case.batches
    assert len(done.records) == sum(done.case.batches), "no digest is planned twice"
    later = done.study.undecided_runs({})
    assert len(done.study.plan({})) + later == sum(done.case.batches)
    assert done.study.undecided_runs(done.records) == 0


def test_the_plan_is_deterministic_and_only_grows(done: Answered) -> None:
    held: dict[str, RunRecord] = {}
    before: set[str] = set()
    for batch in done.batches:
        planned = [spec.digest for spec in done.study.plan(held)]
        twin = done.case.make(CORPUS, SPLIT)
        assert planned == [s.digest for s in twin.plan(dict(reversed(held.items())))]
        assert before <= set(planned) == before | {spec.digest for spec in batch}
        before = set(planned)
        held |= {spec.digest: done.records[spec.digest] for spec in batch}
    assert {spec.digest for spec in done.study.plan(held)} == before


def test_arms_differ_in_nothing_but_the_model_and_fresh_seeds(done: Answered) -> None:
    if done.study.name in ("ablation", "artifacts", "diagnosis"):
        pytest.skip(
            "coalitions, interventions, remedies, null runs share seeds with their base run on purpose"
        )

    def place(spec: RunSpec) -> str:
        return digest_of({**replace(spec, model=bayes()).to_json(), "seeds": None, "test_rows": None})

    splits = {s.fingerprint for s in (SPLIT, *getattr(done.study, "more_splits", ()))}
    corpora = {c.fingerprint for c in (CORPUS, *getattr(done.study, "more_corpora", ()))}
    specs = [record.spec for record in done.records.values()]
    by_model: dict[str, list[str]] = {}
    for spec in specs:
        if spec.test_rows is None:
            by_model.setdefault(digest_of(spec.model.to_json()), []).append(place(spec))
    full = [sorted(places) for places in by_model.values()]
    assert len(full) == 2
    # The cheap arm also runs where a limited arm does; all else is mirrored run by run.
    assert set(full[0]) == set(full[1]) and len(full[0]) == len(full[1])
    for spec in specs:
        assert spec.corpus in corpora and spec.split in splits
    drawn = {(s.seeds.initialisation, s.seeds.order) for s in specs}
    cells = {(digest_of(s.model.to_json()), s.subset, s.seeds) for s in specs}
    assert len(drawn) == len(cells), "every arm, size, draw and repeat has a seed of its own"


def test_concluding_is_pure(done: Answered, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {
        d: (json.dumps(r.to_json()), r.predictions.probabilities.copy()) for d, r in done.records.items()
    }
    first = as_json(done.study, done.records)
    monkeypatch.setattr(builtins, "open", lambda *a, **k: pytest.fail("conclude opened a file"))
    again = as_json(done.case.make(CORPUS, SPLIT), dict(reversed(done.records.items())))
    monkeypatch.undo()
    assert first == again
    for digest, record in done.records.items():
        assert json.dumps(record.to_json()) == before[digest][0]
        assert np.array_equal(record.predictions.probabilities, before[digest][1])


def test_the_verdict_says_what_it_found_of_whom_and_what_to_do_next(done: Answered) -> None:
    verdict = done.verdict
    assert verdict.study == done.study.name and verdict.kind
    assert verdict.sentence.endswith(".") and "toy" in verdict.sentence
    assert "\n" not in verdict.sentence and "  " not in verdict.sentence
    assert CORPUS.fingerprint in verdict.population and "toy" in verdict.population
    assert "other" in verdict.population, "it says what it does not speak of"
    assert verdict.next_step and verdict.would_change and all(verdict.would_change)
    assert set(verdict.runs) == set(done.records)
    assert verdict.numbers["corpus"]["fingerprint"] == CORPUS.fingerprint
    assert verdict.numbers["split"]["fingerprint"] == SPLIT.fingerprint
    assert verdict.numbers["metric"] == done.study.metric


def test_the_numbers_are_plain_json_without_nan(done: Answered) -> None:
    plain = json.loads(as_json(done.study, done.records))
    assert plain == json.loads(json.dumps(done.verdict.to_json()))


def test_one_arm_wholly_lost_still_gives_a_verdict_that_says_so(done: Answered) -> None:
    for arm, model in done.study.arms.items():
        left = {d: r for d, r in done.records.items() if r.spec.model != model}
        verdict = done.study.conclude(left)
        json.dumps(verdict.to_json(), allow_nan=False)
        assert verdict.sentence.endswith(".") and verdict.next_step
        assert any(flag.startswith(f"{arm}: ") and "did not finish" in flag for flag in verdict.flags)


def test_any_one_run_lost_still_gives_a_verdict(done: Answered) -> None:
    for digest in sorted(done.records)[:: max(1, len(done.records) // 6)]:
        left = {d: r for d, r in done.records.items() if d != digest}
        verdict = done.study.conclude(left)
        json.dumps(verdict.to_json(), allow_nan=False)
        # More than one where the lost run would have decided what the second stage asks.
        assert any(re.search(r"[1-9] of \d+.*did not finish", flag) for flag in verdict.flags)


def test_no_record_at_all_gives_a_verdict_that_claims_nothing(done: Answered) -> None:
    verdict = done.study.conclude({})
    json.dumps(verdict.to_json(), allow_nan=False)
    assert "nothing can be" in verdict.sentence and "failed" in verdict.next_step
    assert verdict.runs == ()


def test_the_name_follows_every_setting_that_decides_the_plan(done: Answered) -> None:
    names = {field.name for field in fields(done.study)} - {"corpus", "split", "name"}
    assert names == set(done.case.changes), "a new setting is tested here too"
    seen = {study_name(done.study)}
    for name, value in done.case.changes.items():
        changed = changed_study(done.study, name, value)
        if getattr(changed, name) != getattr(done.study, name):
            assert study_name(changed) not in seen, name
            seen.add(study_name(changed))
    elsewhere = done.case.make(OTHER, toy_split(OTHER))
    resplit = done.case.make(CORPUS, toy_split(CORPUS, seed=9))
    assert not {study_name(elsewhere), study_name(resplit)} & seen
    assert study_name(done.case.make(CORPUS, SPLIT)) == study_name(done.study)


def changed_study(study: Any, name: str, value: object) -> Any:
    """The study with one setting changed, and those that the change forbids put beside it."""
    beside: dict[str, object] = {}
    if name in ("cheap", "expensive"):
        beside = {"cheap": study.expensive, "expensive": study.cheap} if name == "cheap" else {
            "arms": DEARER, "expensive": "dear", "limits": {}}  # fmt: skip
    if name == "draws" and isinstance(study, CompareStudy):
        beside = {"size": 40}
    if name == "limits":
        beside = {"arms": DEARER}
    if isinstance(study, DiagnosisStudy):
        needed = {"subject": {"simpler": "rich"}, "reference": {"arms": DEARER}, "disagreed": {"audited": 20}}
        beside = dict(needed.get(name, {}))
    return replace(study, **{name: value, **beside})


def test_the_name_does_not_follow_the_order_of_a_mapping(done: Answered) -> None:
    arms = dict(reversed(done.study.arms.items()))
    assert len(arms) == 1 or list(arms) != list(done.study.arms)
    assert study_name(replace(done.study, arms=arms)) == study_name(done.study)
    assert digest_of(json.loads(json.dumps(done.study.settings()))) == digest_of(done.study.settings())


def test_the_verdict_does_not_follow_the_order_of_the_arms(done: Answered) -> None:
    turned = replace(done.study, arms=dict(reversed(done.study.arms.items()))).conclude(done.records)
    assert turned.kind == done.verdict.kind
    for one, other in combinations((turned, done.verdict), 2):
        assert one.numbers["arms"] == other.numbers["arms"]
