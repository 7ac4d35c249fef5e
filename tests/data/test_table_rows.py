"""Reading files: what the bytes say, where each row stands, and refusals with line and offset."""

import gzip
import json
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossover.data import free_memory as memory
from crossover.data.bad_input import BadInput
from crossover.data.reading import Reading
from crossover.data.reservoir import chosen_rows
from crossover.data.table_rows import read_table, stack

BOTH = {"text", "label"}


def read(path, **how):
    return read_table(str(path), BOTH, Reading(**how))


def refused(path, **how):
    with pytest.raises(BadInput) as raised:
        read(path, **how)
    return str(raised.value)


def test_invalid_utf8_names_line_and_byte_and_the_setting(tmp_path):
    file = tmp_path / "a.csv"
    file.write_bytes(b"text,label\nok,ham\ncaf\xe9,spam\n")
    said = refused(file)
    assert "a.csv, line 3: byte 0xe9 at byte 3 of the line (21 of the file)" in said
    assert "data.encoding=" in said and "cp1252" in said
    assert read(file, encoding="latin-1").columns["text"] == ["ok", "café"]
    assert read(file, errors="replace").columns["text"] == ["ok", "caf\ufffd"]


def test_utf16_is_suggested_by_its_mark_and_read(tmp_path):
    file = tmp_path / "a.csv"
    file.write_bytes("text,label\né,ham\n".encode("utf-16"))
    assert "utf-16 is likely" in refused(file)
    assert read(file, encoding="utf-16").columns["text"] == ["é"]


@pytest.mark.parametrize(
    "how", [{"encoding": "utf-nonsense"}, {"encoding": "hex"}, {"errors": "surrogateescape"}]
)
def test_unknown_encodings_and_error_rules_are_refused(tmp_path, how):
    file = tmp_path / "a.csv"
    file.write_text("text,label\na,b\n")
    assert "encoding" in refused(file, **how) or "errors=" in refused(file, **how)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl"])
def test_a_byte_order_mark_is_stripped(tmp_path, suffix):
    rows = {
        "csv": "text,label\na,b\n",
        "tsv": "text\tlabel\na\tb\n",
        "jsonl": '{"text": "a", "label": "b"}\n',
    }
    file = tmp_path / f"a.{suffix}"
    file.write_bytes(b"\xef\xbb\xbf" + rows[suffix].encode())
    assert read(file).columns == {"text": ["a"], "label": ["b"]}


def test_u2028_does_not_split_a_json_line(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text(
        '{"text": "a\u2028b\u0085c", "label": "x"}\r\n\n{"text": "d"}\n', encoding="utf-8", newline=""
    )
    table = read(file)
    assert table.columns == {"text": ["a\u2028b\u0085c", "d"], "label": ["x", None]}
    assert table.locate(1).endswith("a.jsonl, row 2 (line 3)")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"text": "a"', "line 2: no valid JSON"),
        ('["a"]', "line 2: a list"),
        ('{"text": "a", "text": "b"}', "line 2: no valid JSON (the key 'text' occurs twice)"),
        ('{"text": NaN}', "line 2: no valid JSON (NaN is no JSON number)"),
        ("[" * 100_000, "line 2: "),
        ('{"text": ' + "9" * 5000 + "}", "line 2: no valid JSON"),
    ],
)
def test_bad_json_lines_are_refused_with_their_line(tmp_path, line, said):
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": "ok", "label": "x"}\n' + line + "\n")
    assert said in refused(file)


def test_a_gzip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    file = tmp_path / "a.csv.gz"
    file.write_bytes(gzip.compress(b"text,label\n" + b"a" * 5_000_000 + b",b\n"))
    assert "unpacks to more than 1,000,000 bytes" in refused(file, max_bytes=1_000_000)
    assert len(read(file).columns["text"][0]) == 5_000_000


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-9], lambda b: b"plain text", lambda b: b[:12] + b"\xff" * 8 + b[20:]]
)
def test_a_damaged_gzip_is_refused_by_name(tmp_path, damage):
    file = tmp_path / "a.csv.gz"
    file.write_bytes(damage(gzip.compress(b"text,label\n" + bytes(range(32, 127)) * 4)))
    assert "a.csv.gz is no whole gzip file" in refused(file)


def test_a_missing_file_folder_or_format_is_named_with_what_is_there(tmp_path):
    (tmp_path / "mail.csv").write_text("text,label\na,b\n")
    assert "did you mean" in refused(tmp_path / "mial.csv") and "mail.csv" in refused(tmp_path / "mial.csv")
    assert "is a folder; name a file in it, one of ['mail.csv']" in refused(tmp_path)
    assert "no file" in refused(tmp_path / "no" / "where.csv")
    (tmp_path / "a.xlsx").write_text("x")
    assert "format '.xlsx'; expected one of" in refused(tmp_path / "a.xlsx")
    assert "a.csv" not in refused(tmp_path / "mail.csv", format="excel")


def test_a_file_of_column_names_only_is_refused(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("text,label\n")
    assert "holds no rows, only the column names ['text', 'label']" in refused(file)


def test_parquet_that_is_damaged_or_names_a_column_twice_is_refused(tmp_path):
    file = tmp_path / "a.parquet"
    file.write_bytes(b"PAR1 nonsense PAR1")
    assert "no readable parquet file" in refused(file)
    twice = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])
    pq.write_table(twice, file)
    assert "two columns are named 'text'" in refused(file)


def test_parquet_keeps_types_and_class_names(tmp_path):
    file = tmp_path / "a.parquet"
    info = {"info": {"features": {"label": {"names": ["ham", "spam"], "_type": "ClassLabel"}}}}
    table = pa.table({"text": ["a", "NA"], "label": [1, 0], "other": [b"\xff", b""]})
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(info)}), file)
    read_back = read(file)
    assert read_back.columns == {"text": ["a", "NA"], "label": [1, 0]}
    assert read_back.names == ("text", "label", "other")
    assert read_back.class_names == {"label": ("ham", "spam")}
    assert read_back.renamed({"label": "text"}).class_names == {"text": ("ham", "spam")}


def test_stacked_tables_locate_each_row_in_its_own_file(tmp_path):
    for name, rows in (("a.csv", "1,x\n2,y\n"), ("b.csv", "3,z\n")):
        (tmp_path / name).write_text("text,label\n" + rows)
    both = stack(
        [
            read(tmp_path / "a.csv").with_part("part", "train"),
            read(tmp_path / "b.csv").with_part("part", "test"),
        ]
    )
    assert both.column("text", "data.text") == ["1", "2", "3"]
    assert both.column("part", "data.part") == ["train", "train", "test"]
    assert both.locate(1).endswith("a.csv, row 2 (line 3)")
    assert both.locate(2).endswith("b.csv, row 1 (line 2)")
    with pytest.raises(BadInput, match="has a column 'text' of its own"):
        read(tmp_path / "a.csv").with_part("text", "train")


def test_a_missing_column_lists_what_was_found_and_the_nearest(tmp_path):
    (tmp_path / "a.csv").write_text("txet,label\n1,x\n")
    with pytest.raises(BadInput) as raised:
        read(tmp_path / "a.csv").column("text", "mend it so")
    assert "no column 'text'; found ['txet', 'label']. did you mean 'txet'?" in str(raised.value)
    assert str(raised.value).endswith("mend it so")


def test_renaming_replaces_a_column_of_that_name_and_skips_absent_ones(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\n1,x\n")
    table = read_table(str(tmp_path / "a.csv"), BOTH, Reading())
    assert table.renamed({"label": "text"}).columns == {"text": ["x"]}
    assert table.renamed({"absent": "text"}).columns == table.columns


def test_a_key_missing_in_some_json_lines_is_missing_in_those_rows(tmp_path):
    (tmp_path / "a.jsonl").write_text(
        '{"text": "a"}\n{"text": "b"}\n{"text": "c", "label": "x"}\n{"label": "y"}\n'
    )
    assert read(tmp_path / "a.jsonl").columns == {
        "text": ["a", "b", "c", None],
        "label": [None, None, "x", "y"],
    }


def numbered(folder, form, count=300):
    rows = [{"text": f"row {k}", "label": "ab"[k % 2]} for k in range(count)]
    file = folder / f"rows.{form}"
    if form.startswith("parquet"):
        pq.write_table(pa.Table.from_pylist(rows), folder / "plain.parquet", row_group_size=64)
        data = (folder / "plain.parquet").read_bytes()
    elif form.startswith("jsonl"):
        data = "\n".join(json.dumps(row) for row in rows).encode()
    else:
        data = "\n".join(["text,label", *(f"{row['text']},{row['label']}" for row in rows)]).encode()
    file.write_bytes(gzip.compress(data) if form.endswith(".gz") else data)
    return file


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "jsonl.gz", "parquet.gz"])
def test_a_sample_is_the_same_rows_of_any_format_in_their_order(tmp_path, form):
    table = read(numbered(tmp_path, form), take=40, take_seed=3)
    rows = chosen_rows(300, 40, 3)
    assert table.columns == {"text": [f"row {k}" for k in rows], "label": ["ab"[k % 2] for k in rows]}
    assert (table.count, table.found, table.rows) == (40, 300, rows)
    assert f"row {rows[7] + 1}" in table.locate(7), "errors name the row of the file"
    if not form.startswith("parquet"):
        assert f"(line {rows[7] + 1 + form.startswith('csv')})" in table.locate(7)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_sample_larger_than_the_file_is_the_file(tmp_path, form):
    table = read(numbered(tmp_path, form, 20), take=40)
    assert table.rows is None and table.columns["text"] == [f"row {k}" for k in range(20)]


def test_a_key_that_a_replaced_row_had_is_not_left_behind(tmp_path):
    lines = [json.dumps({"text": "a", "label": "x"})] * 5 + [json.dumps({"text": "b"})] * 400
    file = tmp_path / "a.jsonl"
    file.write_text("\n".join(lines))
    table = read(file, take=5)
    assert list(zip(table.columns["text"], table.columns["label"], strict=True)) == [("b", None)] * 5


def test_a_bad_row_is_refused_though_it_is_not_sampled(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text("\n".join([json.dumps({"text": "a", "label": "x"})] * 400 + ["{"]))
    assert "line 401" in refused(file, take=2)
    assert "data.take=0" in refused(file, take=0)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_what_cannot_fit_is_refused_before_it_is_read(tmp_path, form, monkeypatch):
    file = numbered(tmp_path, form)
    monkeypatch.setattr(memory, "free_memory", lambda: 1_000)
    said = refused(file)
    assert "of memory or more" in said and "data.take=" in said
    if form != "csv":
        assert read(file, take=10).count == 10
    monkeypatch.setattr(memory, "free_memory", lambda: None)
    assert read(file).count == 300


MEASURED = """
import resource, sys
from crossover.data.reading import Reading
from crossover.data.table_rows import read_table
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
table = read_table(sys.argv[1], {"text", "label"}, Reading(take=2_000))
print(table.count, table.found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_the_memory_of_a_sample_does_not_grow_with_the_file(tmp_path, form):
    file = tmp_path / f"big.{form}"
    texts = [f"{k} " + "some words of a message " * 8 for k in range(10_000)]
    if form == "jsonl":
        block = "".join(
            json.dumps({"text": text, "label": "ab"[k % 2]}) + "\n" for k, text in enumerate(texts)
        )
        with open(file, "w") as handle:
            handle.writelines(block for _ in range(40))
    else:
        table = pa.table({"text": texts, "label": ["a", "b"] * 5_000})
        with pq.ParquetWriter(file, table.schema, compression="none", use_dictionary=False) as writer:
            for _ in range(40):
                writer.write_table(table)
    assert file.stat().st_size > 80e6
    out = subprocess.run(
        [sys.executable, "-c", MEASURED, str(file)], capture_output=True, text=True, check=True
    )
    count, found, grown = map(int, out.stdout.split())
    assert (count, found) == (2_000, 400_000)
    assert grown * 1024 < 60e6, "less than the file itself, let alone three times that"
