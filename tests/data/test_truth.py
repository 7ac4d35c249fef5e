"""Truth: what it says of each flaw, and a digest that sees every planted cell and every setting."""

import pyarrow as pa
import pytest
from planted_rows import flaw_of, planted

from crossover.data.truth import SCHEMA, Truth, joined

LINES = [
    (1, "votes", None, "votes", None, "unanimous"),
    (1, "votes", "b", "text", "old", "vitamin"),
    (1, "votes", "b", "votes", "v", "contested"),
    (2, "noise", "a", "label", "x", "wrong label"),
    (2, "noise", "b", "label", "y", "wrong label"),
]


def truth_of(lines, settings=None):
    columns = {name: [line[k] for line in lines] for k, name in enumerate(SCHEMA.names)}
    return Truth(pa.table(columns, schema=SCHEMA), settings or {"votes": {"strength": 0.5}, "noise": {}})


def test_rows_are_named_once_in_the_order_planted():
    truth = truth_of(LINES)
    assert truth.ids("votes") == ["b"] and truth.ids("noise") == ["a", "b"] and truth.ids("other") == []
    assert truth.details("votes") == {"votes": "unanimous", "b": "contested"}
    assert truth.to_json() == {
        "votes": {"settings": {"strength": 0.5}, "rows": 1},
        "noise": {"settings": {}, "rows": 2},
    }


def test_lines_of_rows_leave_out_added_columns():
    assert truth_of(LINES).of_rows().num_rows == 4


def test_pieces_join_and_list_an_added_column_once():
    other = [(*line[:2], "c", *line[3:]) if line[2] else line for line in LINES]
    whole = joined([truth_of(LINES), truth_of(other), truth_of(other[1:2])])
    assert whole.table.num_rows == 5 + 4 + 1
    assert whole.table["id"].to_pylist().count(None) == 1
    assert whole.ids("noise") == ["a", "b", "c"] and whole.flaws == truth_of(LINES).flaws


@pytest.mark.parametrize("column", SCHEMA.names)
@pytest.mark.parametrize("row", range(len(LINES)))
def test_the_digest_sees_every_cell(row, column):
    lines, k = [list(line) for line in LINES], SCHEMA.names.index(column)
    lines[row][k] = 9 if column == "step" else f"{lines[row][k]}."
    assert truth_of(lines).digest != truth_of(LINES).digest == truth_of([*LINES]).digest


def test_the_digest_sees_a_setting_that_planted_nothing_new():
    """A strength a hair greater may choose the same rows; it is another way of planting all the same."""
    one, other = (planted("inbox", {"footer": flaw_of("footer", strength=s)}, 60) for s in (0.5, 0.5 + 1e-12))
    assert one.truth.table.equals(other.truth.table) and one.truth.digest != other.truth.digest
    assert truth_of(LINES, {"votes": {}}).digest != truth_of(LINES).digest
