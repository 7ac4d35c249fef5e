"""Rules: the first match decides, the training rows say how far to trust it, a bad rule is named."""

from __future__ import annotations

import numpy as np
import pytest

from crossover.data.bad_input import BadInput
from crossover.model.rules import LEAST, Rules

CLASSES = ["ham", "news", "spam"]
RULES = [{"pattern": "free|win", "label": "spam"}, {"pattern": "report", "label": "news"}]


def test_the_first_match_wins_and_the_default_takes_the_rest():
    model = Rules(RULES, default="ham").fit(["x"] * 4, ["ham", "ham", "news", "spam"], CLASSES)
    said = model.predict_proba(["Free report", "a report", "lunch", ""]).argmax(axis=1)
    assert [CLASSES[k] for k in said] == ["spam", "news", "ham", "ham"]
    turned = Rules(RULES[::-1], default="ham").fit(["x"] * 4, ["ham", "ham", "news", "spam"], CLASSES)
    assert CLASSES[turned.predict_proba(["free report"]).argmax()] == "news"


def test_trust_by_hand():
    texts = ["free a", "free b", "free c", "win report", "report", "lunch", "lunch"]
    labels = ["spam", "spam", "ham", "spam", "ham", "ham", "ham"]
    table = Rules(RULES, default="ham").fit(texts, labels, CLASSES).predict_proba(["free", "report", "home"])
    # free|win matched 4 rows first, 3 of them spam: (3+1)/(4+2); the rest to ham, news is absent.
    np.testing.assert_allclose(table[0], [2 / 6, 0, 4 / 6])
    # report matched one row first and was wrong: 1/3, raised to the least; the rest by shares 4 : 3.
    np.testing.assert_allclose(table[1], [(1 - LEAST) * 4 / 7, LEAST, (1 - LEAST) * 3 / 7])
    np.testing.assert_allclose(table[2], [3 / 4, 0, 1 / 4])


def test_without_a_default_the_most_frequent_class_is_taken_the_first_on_a_tie():
    assert (
        CLASSES[Rules(RULES).fit(["x"] * 3, ["news", "spam", "news"], CLASSES).predict_proba([""]).argmax()]
        == "news"
    )
    assert CLASSES[Rules([]).fit(["x"] * 2, ["spam", "news"], CLASSES).predict_proba([""]).argmax()] == "news"


def test_a_rule_may_name_a_class_that_train_lacks():
    table = Rules(RULES).fit(["x", "y"], ["ham", "ham"], CLASSES).predict_proba(["free", "lunch"])
    np.testing.assert_allclose(table, [[1 - LEAST, 0, LEAST], [1, 0, 0]])


def test_case_is_ignored_unless_asked():
    rules = [{"pattern": "FREE", "label": "spam"}]
    rows = (["x", "y"], ["ham", "spam"], CLASSES)
    assert Rules(rules, "ham").fit(*rows).predict_proba(["free"]).argmax() == 2
    assert Rules(rules, "ham", ignore_case=False).fit(*rows).predict_proba(["free"]).argmax() == 0


@pytest.mark.parametrize(
    ("rules", "default", "told"),
    [
        ([RULES[0], {"pattern": "(free", "label": "spam"}], None, r"rule 2 .*'\(free'"),
        ([RULES[0], {"pattern": "free", "label": "Spam"}], None, "rule 2 .*'Spam'.*'spam'"),
        ([{"pattern": "free", "label": 1}], None, "rule 1 .*label 1"),
        ([{"pattern": "free"}], None, "rule 1 "),
        (["free"], None, "rule 1 "),
        (RULES, "Ham", "default class.*'Ham'"),
    ],
)
def test_a_bad_rule_is_named(rules, default, told):
    with pytest.raises(BadInput, match=told):
        Rules(rules, default).fit(["x", "y"], ["ham", "spam"], CLASSES)
