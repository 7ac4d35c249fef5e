"""External: stored predictions are found by text, checked row by row, and priced as stated."""

from __future__ import annotations

import csv
import hashlib
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossover.data.bad_input import BadInput
from crossover.data.corpus import content_ids, sha256_file
from crossover.model.classifier import load, save
from crossover.model.external import External
from crossover.protocol.component import build
from crossover.protocol.configured import part

CLASSES = ["ham", "spam"]
TEXTS = ['free, "prize"\nnow', "", "NA", "lunch " * 40_000, "2009-01-01"]
HAM = [0.1, 0.5, 0.25, 1.0, 0.3334]
EXPECTED = np.column_stack([HAM, [0.9, 0.5, 0.75, 0.0, 0.6666]])


def write(file, keys, key="text", ham=HAM):
    columns = {key: keys, "ham": ham, "spam": [1 - p for p in ham], "note": ["why"] * len(keys)}
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    if file.suffix == ".parquet":
        pq.write_table(pa.table(columns), file)
    elif file.suffix == ".jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        with open(file, "w", encoding="utf-8", newline="") as handle:
            writer = csv.DictWriter(handle, list(columns), delimiter="\t" if file.suffix == ".tsv" else ",")
            writer.writeheader()
            writer.writerows(rows)
    return file


def fitted(file, **settings) -> External:
    settings = External.pin({"path": str(file), **settings})
    return External(**settings).fit(["any"], ["ham"], CLASSES)


@pytest.mark.parametrize("suffix", ["parquet", "jsonl", "csv", "tsv"])
def test_each_format_gives_back_what_was_written(tmp_path, suffix):
    model = fitted(write(tmp_path / f"p.{suffix}", TEXTS))
    np.testing.assert_allclose(model.predict_proba(TEXTS[::-1]), EXPECTED[::-1], atol=1e-12)


def test_texts_are_found_by_their_hash_or_content_id_too(tmp_path):
    whole = [hashlib.sha256(text.encode()).hexdigest() for text in TEXTS]
    for file, keys in (("whole.csv", whole), ("ids.csv", content_ids(TEXTS))):
        model = fitted(write(tmp_path / file, keys, "sha256"))
        np.testing.assert_allclose(model.predict_proba(TEXTS), EXPECTED, atol=1e-12)


def test_columns_follow_the_classes_and_rows_are_scaled_to_1(tmp_path):
    file = tmp_path / "p.jsonl"
    file.write_text('{"text": "a", "spam": 0.2, "ham": 0.8004}\n')
    model = External(**External.pin({"path": str(file)})).fit(["a"], ["ham"], ["spam", "ham"])
    np.testing.assert_allclose(model.predict_proba(["a"]), [[0.2 / 1.0004, 0.8004 / 1.0004]], atol=1e-15)


def test_texts_the_file_lacks_are_named(tmp_path):
    model = fitted(write(tmp_path / "p.csv", TEXTS))
    digest = hashlib.sha256(b"unheard of").hexdigest()[:16]
    with pytest.raises(BadInput, match=rf"lacks 1 of the 3 texts.*row 2, sha256 {digest}, 'unheard of'"):
        model.predict_proba(["NA", "unheard of", ""])


def test_the_stated_cost_is_counted_for_each_text_predicted(tmp_path):
    file = write(tmp_path / "p.csv", TEXTS)
    model = fitted(file, seconds_per_text=0.5, price_per_text=0.01, currency="EUR")
    model.predict_proba(TEXTS)
    model.predict_proba(TEXTS[:1])
    assert model.cost_ == pytest.approx({"encode_seconds_cold": 3.0, "price_eur": 0.06})
    with pytest.raises(BadInput, match="price_per_text=-1"):
        fitted(file, price_per_text=-1.0)


def test_composing_pins_the_file_and_a_changed_file_is_refused(tmp_path):
    file = write(tmp_path / "p.csv", TEXTS)
    made_from = part(
        {"_target_": "crossover.model.external.External", "path": str(file), "sha256": ""}, "model"
    )
    assert made_from.settings["sha256"] == sha256_file(file)
    build(made_from).fit(["a"], ["ham"], CLASSES)
    write(file, TEXTS, ham=[0.2, *HAM[1:]])
    with pytest.raises(BadInput, match=sha256_file(file)):
        build(made_from).fit(["a"], ["ham"], CLASSES)
    with pytest.raises(BadInput, match="never pinned"):
        External(str(file)).fit(["a"], ["ham"], CLASSES)


def test_a_saved_arm_needs_its_file_no_more(tmp_path):
    file = write(tmp_path / "p.csv", TEXTS)
    made_from = part({"_target_": "crossover.model.external.External", "path": str(file)}, "model")
    model = build(made_from).fit(["a"], ["ham"], CLASSES)
    save(model, made_from, tmp_path / "saved")
    before = model.predict_proba(TEXTS)
    file.unlink()
    np.testing.assert_array_equal(load(tmp_path / "saved").predict_proba(TEXTS), before)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("p.csv", "text,ham,spam\na,.5,.5\nb,.5,.6\n", r"row 2: the probabilities sum to 1\.1"),
        ("p.csv", "text,ham,spam\na,.5,.5\nb,1.5,-.5\n", r"row 2: ham is '1\.5'"),
        ("p.csv", "text,ham,spam\na,.5,\n", "row 1: spam is ''"),
        ("p.csv", "text,ham,spam\na,nan,.5\n", "row 1: ham is 'nan'"),
        ("p.csv", "text,ham,spam\na,.5,.5\na,.4,.6\n", "rows 1 and 2 predict the same text"),
        ("p.csv", "text,ham,Spam\na,.5,.5\n", r"class 'spam' \(1 of 2 lack one\).*'Spam'"),
        ("p.csv", "id,ham,spam\na,.5,.5\n", "either 'text' or 'sha256'"),
        ("p.csv", "sha256,ham,spam\nabc,.5,.5\n", "row 1: sha256 'abc'"),
        ("p.csv", "text,ham,spam\n", "holds no rows"),
        ("p.csv", 'text,ham,spam\n"a,.5,.5\n', "cannot be read as csv"),
        ("p.jsonl", '{"text": "a", "ham": 1, "spam": 0}\n{"text"\n', "cannot be read as jsonl"),
        ("p.jsonl", "[1]\n", "row 1: .*no JSON object"),
        ("p.jsonl", '{"text": null, "ham": 1, "spam": 0}\n', "row 1: text is None"),
        ("p.parquet", "text", "cannot be read as parquet"),
        ("p.xlsx", "", "expected a .parquet"),
    ],
)
def test_a_bad_file_is_refused_naming_the_row(tmp_path, name, content, told):
    (tmp_path / name).write_text(content)
    with pytest.raises(BadInput, match=told):
        fitted(tmp_path / name)


def test_a_row_given_twice_alike_is_taken_once_and_a_missing_file_is_named(tmp_path):
    (tmp_path / "p.csv").write_text("text,ham,spam\na,.5,.5\na,.5,.5\n")
    np.testing.assert_array_equal(fitted(tmp_path / "p.csv").predict_proba(["a"]), [[0.5, 0.5]])
    with pytest.raises(BadInput, match=r"no such file"):
        External.pin({"path": str(tmp_path / "none.csv")})
