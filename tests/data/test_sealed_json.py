"""JSON with the SHA-256 of its own bytes: any changed bit is noticed, older files are read, newer refused."""

import json
import subprocess
from pathlib import Path

import pytest

from crossover.data.bad_input import BadInput
from crossover.data.sealed_json import SCHEMA, sealed, unsealed

PLAIN = {"text": "é\u2028\n </script>", "value": 0.1 + 0.2, "inner": {"sha256": "kept", "schema": 9}}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "a.json").write_bytes(sealed(PLAIN))
    return tmp_path / "a.json"


def test_values_come_back_without_seal_and_schema(file: Path) -> None:
    assert unsealed(file, "") == PLAIN
    assert json.loads(file.read_bytes())["schema"] == SCHEMA
    assert sealed({}) != sealed({"a": 1}) and sealed(PLAIN) == sealed(PLAIN)


def test_a_seal_among_the_values_is_made_anew(file: Path) -> None:
    assert sealed(json.loads(file.read_bytes())) == file.read_bytes()
    assert sealed({"sha256": "0" * 64, "schema": 1, **PLAIN}) == file.read_bytes()


def test_the_seal_is_what_sha256sum_says_of_the_lines_below_it(file: Path) -> None:
    told = subprocess.run(f"tail -n +3 '{file}' | sha256sum", shell=True, capture_output=True, text=True)
    assert told.stdout.split()[0] == json.loads(file.read_bytes())["sha256"]


def test_every_single_flipped_bit_is_noticed(file: Path) -> None:
    """Key names, the number of the schema and blanks included."""
    data = file.read_bytes()
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << (bit % 8)
        file.write_bytes(bytes(changed))
        with pytest.raises(BadInput, match=r"a\.json"):
            unsealed(file, "make it again")


def test_reformatting_counts_as_an_edit_and_a_file_without_a_seal_must_be_of_schema_1(file: Path) -> None:
    plain = json.loads(file.read_bytes())
    file.write_text(json.dumps(plain), encoding="utf-8")
    with pytest.raises(BadInput, match=r"edited or damaged: make it again"):
        unsealed(file, "make it again")
    del plain["sha256"]
    file.write_text(json.dumps(plain), encoding="utf-8")
    with pytest.raises(BadInput, match="edited or damaged"):
        unsealed(file, "make it again")
    for older in ({**plain, "schema": 1}, {k: v for k, v in plain.items() if k != "schema"}):
        file.write_text(json.dumps(older), encoding="utf-8")
        assert unsealed(file, "") == PLAIN


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"null", b"\xff", b'"x"'])
def test_what_is_no_object_is_refused_by_name(content: bytes, file: Path) -> None:
    file.write_bytes(content)
    with pytest.raises(BadInput, match=r"a\.json .*make it again"):
        unsealed(file, "make it again")


@pytest.mark.parametrize("schema", [0, -1, "2", 1.5, True, None])
def test_a_schema_that_never_was_is_refused(schema: object, file: Path) -> None:
    file.write_text(json.dumps({"schema": schema, "a": 1}), encoding="utf-8")
    with pytest.raises(BadInput, match=r"a\.json"):
        unsealed(file, "make it again")


def test_no_value_is_kept_that_json_does_not_know(file: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        sealed({"value": float("nan")})
