"""TableFile: one corpus whatever the format, faults refused with file, row and remedy."""

import csv
import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from crossover.data.bad_input import BadInput
from crossover.data.table_file import TableFile

FORMATS = ("csv", "tsv", "jsonl", "parquet", "csv.gz", "jsonl.gz", "parquet.gz")

anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    [
        "",
        "NA",
        "null",
        "None",
        "nan",
        "n/a",
        "=HYPERLINK(1)",
        "+1",
        "@x",
        "\t",
        "\r",
        "\x00",
        "a\u2028b",
        "\ufeff",
        '"',
        '""',
        ",",
        "a\r\nb",
        "</script><img src=x onerror=alert(1)>",
        "{{7*7}}",
        "e" + "\u0301" * 50,
        "\u200f",
    ]
)
names = st.sampled_from(["spam", "ham", "eggs", "NA", "null", "007", "=1+1"])


def written(folder, form, rows):
    """A file of this format with the columns id, text, label and where."""
    columns = ["id", "text", "label", "where"]
    base, _, packed = form.partition(".")
    if base == "parquet":
        sink = io.BytesIO()
        pq.write_table(
            pa.table({c: pa.array([r[k] for r in rows], pa.string()) for k, c in enumerate(columns)}), sink
        )
        data = sink.getvalue()
    elif base == "jsonl":
        lines = [json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False) for row in rows]
        data = "\n".join(lines).encode()
    else:
        text = io.StringIO()
        csv.writer(text, delimiter="\t" if base == "tsv" else ",", quoting=csv.QUOTE_ALL).writerows(
            [columns, *rows]
        )
        data = text.getvalue().encode()
    file = folder / f"mail.{form}"
    file.write_bytes(gzip.compress(data) if packed else data)
    return str(file)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(anything, names, anything), min_size=1, max_size=6))
@example([(text, "x", "") for text in ("NA", "null", "None", "nan", "n/a", "")])
def test_every_format_gives_the_same_corpus_as_written(tmp_path, rows):
    rows = [(f"{k:03d}", text, label, where) for k, (text, label, where) in enumerate(rows)]
    prints = set()
    for form in FORMATS:
        corpus = TableFile(written(tmp_path, form, rows), id="id", meta={"where": "category"}).load()
        assert corpus.ids == [row[0] for row in rows]
        assert corpus.texts == [row[1] for row in rows]
        assert corpus.labels == [row[2] for row in rows]
        assert corpus.meta_values("where") == [row[3] or None for row in rows]
        prints.add(corpus.fingerprint)
    assert len(prints) == 1


def csv_file(folder, text, name="mail.csv"):
    file = folder / name
    file.write_text(text, encoding="utf-8", newline="")
    return str(file)


def jsonl_file(folder, *rows):
    return csv_file(folder, "".join(json.dumps(row) + "\n" for row in rows), "mail.jsonl")


OK = {"text": "a", "label": "x"}

FAULTS = {
    "F28 mixed label types": (
        lambda d: TableFile(jsonl_file(d, {**OK, "label": 1}, {**OK, "label": "1"})),
        r"mail\.jsonl, row 1 \(line 1\) has the label 1 and .*mail\.jsonl, row 2 \(line 2\) has '1'",
    ),
    "F28 odd label": (
        lambda d: TableFile(csv_file(d, "text,label\na,spam\nb, spam \n")),
        r"mail\.csv, row 2 \(line 3\): label ' spam ' has spaces",
    ),
    "F28 unknown label": (
        lambda d: TableFile(
            csv_file(d, "text,label\na,spam\nb,eggs\n"), labels={"spam": "spam", "ham": "ham"}
        ),
        r"row 2 \(line 3\): label 'eggs' is not declared",
    ),
    "F29 missing label, refused": (
        lambda d: TableFile(csv_file(d, "text,label\na,spam\nb,\nc,\n"), missing_label="refuse"),
        r"row 2 \(line 3\) has no label \(2 rows of 3 have none\)",
    ),
    "F29 no label at all": (lambda d: TableFile(csv_file(d, "text,label\na,\n")), "no row has a label"),
    "F35 duplicate id": (
        lambda d: TableFile(csv_file(d, "id,text,label\n7,a,x\n8,b,x\n7,c,y\n"), id="id"),
        r"row 1 \(line 2\) and .*row 3 \(line 4\) share the id '7'",
    ),
    "F39 lone surrogate in a text": (
        lambda d: TableFile(jsonl_file(d, OK, {**OK, "text": "a\ud800"})),
        r"row 2 \(line 2\): 'text' holds a lone surrogate at character 1",
    ),
    "F39 lone surrogate in a category": (
        lambda d: TableFile(jsonl_file(d, {**OK, "c": "\udfff"}), meta={"c": "category"}),
        "row 1 .*'c' holds a lone surrogate",
    ),
    "F40 ragged row": (
        lambda d: TableFile(csv_file(d, "text,label\na,x\nb\n")),
        r"mail\.csv, line 3: 1 fields, the header names 2",
    ),
    "F40 first row too long": (lambda d: TableFile(csv_file(d, "text,label\na,x,y\n")), "line 2: 3 fields"),
    "F41 naive time": (
        lambda d: TableFile(csv_file(d, "text,label,t\na,x,2020-01-01\n"), meta={"t": "time"}),
        r"row 1 \(line 2\): 't' holds '2020-01-01', a time without a zone",
    ),
    "F41 time of two readings": (
        lambda d: TableFile(
            csv_file(d, "text,label,t\na,x,01/02/2020\n"), meta={"t": "time"}, timezone="UTC"
        ),
        r"row 1 \(line 2\): 't' holds '01/02/2020', which is no ISO 8601 time",
    ),
    "F43 column missing": (
        lambda d: TableFile(csv_file(d, "Text,label\na,x\n")),
        r"no column 'text'; found \['Text', 'label'\]. did you mean 'Text'\?",
    ),
    "F43 meta column missing": (
        lambda d: TableFile(csv_file(d, "text,label\na,x\n"), meta={"sender": "group"}),
        r"no column 'sender'; .* Leave it out with data\.meta\.sender=null",
    ),
    "bad number": (
        lambda d: TableFile(csv_file(d, "text,label,n\na,x,1\nb,x,two\n"), meta={"n": "number"}),
        r"row 2 \(line 3\): 'n' holds 'two'",
    ),
    "missing text": (
        lambda d: TableFile(jsonl_file(d, OK, {"label": "x"})),
        r"row 2 \(line 2\): no text",
    ),
    "unknown meta kind": (
        lambda d: TableFile(csv_file(d, "text,label\na,x\n"), meta={"label": "colour"}),
        "'label' is declared as 'colour'; expected one of",
    ),
    "no text column": (
        lambda d: TableFile(csv_file(d, "text,label\na,x\n"), text=[]),
        "no text column is named",
    ),
    "unknown missing_label": (
        lambda d: TableFile(csv_file(d, "text,label\na,x\n"), missing_label="guess"),
        "missing_label='guess'",
    ),
    "unknown card field": (
        lambda d: TableFile(csv_file(d, "text,label\na,x\n"), card={"license": "MIT"}),
        "the data card has no field 'license'",
    ),
    "empty card field": (
        lambda d: TableFile(csv_file(d, "text,label\na,x\n"), card={"licence": " "}),
        "the data card leaves licence empty",
    ),
    "the same file twice": (
        lambda d: TableFile([csv_file(d, "text,label\na,x\n")] * 2),
        "names the same file twice",
    ),
    "no file": (lambda d: TableFile([]), "no file is named"),
    "other rows than expected": (
        lambda d: TableFile(csv_file(d, "text,label\na,x\nb,y\n"), expect={"rows": 3, "labels": {"x": 2}}),
        r"rows: found 2, expected 3; label 'x': found 1, expected 2; label 'y': found 1, expected 0",
    ),
    "another file than expected": (
        lambda d: TableFile(csv_file(d, "text,label\na,x\n"), expect={"sha256": "0" * 64}),
        "has SHA-256 [0-9a-f]{64}, expected 0000",
    ),
    "sha256 of several files": (
        lambda d: TableFile([csv_file(d, "text,label\na,x\n")], expect={"sha256": "0" * 64}),
        "is of a single file",
    ),
    "a fact nobody checks": (
        lambda d: TableFile(csv_file(d, "text,label\na,x\n"), expect={"row": 1}),
        "data.expect has 'row'",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_refused_naming_file_row_and_value(tmp_path, fault):
    make, said = FAULTS[fault]
    with pytest.raises(BadInput, match=said):
        make(tmp_path).load()
    assert {file.name for file in tmp_path.iterdir()} <= {"mail.csv", "mail.jsonl"}  # nothing was written


def test_unlabelled_rows_are_kept_or_dropped_with_their_count_in_the_card(tmp_path):
    path = csv_file(tmp_path, "text,label\na,spam\nb,\nc,ham\n")
    assert TableFile(path).load().labels == ["spam", None, "ham"]
    dropped = TableFile(path, missing_label="drop", meta={"label": "category"}, label="label")
    with pytest.raises(BadInput, match="has the name of a column of every corpus"):
        dropped.load()
    corpus = TableFile(path, missing_label="drop").load()
    assert corpus.texts == ["a", "c"]
    assert corpus.card.notes == ("1 of 3 rows had no label and were dropped",)


def test_ids_are_hashes_of_the_text_where_no_column_is_named(tmp_path):
    corpus = TableFile(csv_file(tmp_path, "text,label\na,x\na,y\nb,x\n")).load()
    assert corpus.ids[1] == corpus.ids[0] + "-2"
    assert len(corpus.ids[0]) == 16


def test_a_file_without_a_card_says_unknown_and_is_named_after_its_file(tmp_path):
    path = csv_file(tmp_path, "text,label\na,x\n", "My Mail (2).csv")
    corpus = TableFile(path, card={"licence": "CC0"}).load()
    assert corpus.name == "my_mail_2"
    assert (corpus.card.source, corpus.card.sampling, corpus.card.licence) == (
        "My Mail (2).csv",
        "unknown",
        "CC0",
    )


def test_named_files_say_their_part_and_share_one_id_space(tmp_path):
    one = csv_file(tmp_path, "id,text,label\n1,a,x\n", "one.csv")
    two = csv_file(tmp_path, "label,text,id\ny,b,2\n", "two.csv")
    corpus = TableFile({"train": one, "test": two}, id="id").load()
    assert corpus.meta == {"part": "category"}
    assert corpus.meta_values("part") == ["train", "test"]
    assert (corpus.ids, corpus.texts, corpus.labels) == (["1", "2"], ["a", "b"], ["x", "y"])
    assert TableFile([one, two]).load().meta == {}
    with pytest.raises(
        BadInput, match=r"one\.csv, row 1 \(line 2\) and .*three\.csv, row 1 \(line 2\) share"
    ):
        TableFile([one, csv_file(tmp_path, "id,text,label\n1,c,x\n", "three.csv")], id="id").load()


def test_the_five_files_of_youtube_spam_are_read_as_published(tmp_path):
    head = "COMMENT_ID,AUTHOR,DATE,CONTENT,CLASS\n"
    psy = csv_file(tmp_path, head + "z1,Ann,2013-11-07T06:20:48,win now,1\n", "psy.csv")
    eminem = csv_file(tmp_path, head + "z2,Bob,,nice,0\n", "eminem.csv")
    corpus = TableFile(
        {"Psy": psy, "Eminem": eminem},
        rename={"CONTENT": "text", "CLASS": "label", "AUTHOR": "author", "DATE": "date"},
        labels={"0": "ham", "1": "spam", "ham": "ham", "spam": "spam"},
        meta={"author": "group", "date": "time", "video": "category"},
        timezone="UTC",
        part="video",
    ).load()
    assert corpus.labels == ["spam", "ham"]
    assert corpus.meta_values("video") == ["Psy", "Eminem"]
    assert corpus.meta_values("date") == ["2013-11-07T06:20:48+00:00", None]


def test_several_text_columns_are_joined_by_a_newline(tmp_path):
    corpus = TableFile(csv_file(tmp_path, "s,b,label\nhi,there,x\n,only,x\n"), text=["s", "b"]).load()
    assert corpus.texts == ["hi\nthere", "\nonly"]


def test_label_types_of_json_and_csv_meet_in_one_declared_map(tmp_path):
    declared = {"0": "ham", "1": "spam"}
    a = TableFile(jsonl_file(tmp_path, {**OK, "label": 1}, {**OK, "label": 0}), labels=declared).load()
    b = TableFile(csv_file(tmp_path, "text,label\na,1\na,0\n"), labels=declared).load()
    assert a.labels == b.labels == ["spam", "ham"]
    assert a.fingerprint == b.fingerprint


def test_a_meta_column_declared_null_is_not_read(tmp_path):
    path = csv_file(tmp_path, "text,label,n\na,x,one\nb,x,2\n")
    assert TableFile(path, meta={"n": None, "absent": None}).load().meta == {}


def test_a_megabyte_without_a_space_is_one_text(tmp_path):
    corpus = TableFile(csv_file(tmp_path, "text,label\n" + "x" * 1_000_000 + ",a\n")).load()
    assert [len(text) for text in corpus.texts] == [1_000_000]


def test_a_sample_says_so_in_the_card_and_is_of_one_file(tmp_path):
    rows = "".join(f"row {k},{'ab'[k % 2]}\n" for k in range(100))
    file = csv_file(tmp_path, "text,label\n" + rows)
    corpus = TableFile(file, take=30, take_seed=2).load()
    assert len(corpus) == 30
    assert corpus.card.notes == ("30 of 100 rows, a uniform sample (seed 2)",)
    assert TableFile(file, take=30, take_seed=3).load().ids != corpus.ids
    assert TableFile(file, take=100).load().card.notes == ()
    with pytest.raises(BadInput, match="single file"):
        TableFile([file, file], take=30).load()
