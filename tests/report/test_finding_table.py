"""Findings are the same rows everywhere, and what leaves the machine quotes nothing of the data."""

import io
from contextlib import redirect_stdout

from crossover.look.finding import Finding
from crossover.report.finding_table import finding_table, mirror_rows
from crossover.report.terminal import print_findings

FINDINGS = [
    Finding("lengths", "info", "half have 12 words", {"words": [1.0, 2.0]}),
    Finding(
        "blank-texts",
        "warning",
        "2 texts of 'spam' in 'sender' show nothing, first 'ann@secret.example' and \"it's\"",
        {"rows": 2, "share": 0.123456, "first": ["ann@secret.example"], "by": {"spam": 2}, "who": {"ann": 1}},
        "drop them",
        p_value=0.01,
    ),
    Finding("one-class", "error", "nothing to tell apart"),
]
PLAIN = [finding.to_json() for finding in FINDINGS]


def test_the_gravest_stand_first_in_page_terminal_and_mirror() -> None:
    codes = ["one-class", "blank-texts", "lengths"]
    assert [row[-1] for row in finding_table("t", PLAIN).rows] == codes
    assert [row["code"] for row in mirror_rows(PLAIN, None)] == codes
    out = io.StringIO()
    with redirect_stdout(out):
        print_findings(FINDINGS)
    said = out.getvalue()
    assert said.index("[one-class]") < said.index("[blank-texts]") < said.index("[lengths]")
    assert "remedy: drop them" in said and "share = 0.123" in said


def test_what_goes_to_wandb_keeps_known_names_and_numbers_and_blanks_what_is_quoted() -> None:
    row = mirror_rows(PLAIN, {"spam", "sender"})[1]
    assert row["finding"] == "2 texts of 'spam' in 'sender' show nothing, first '…' and '…'"
    assert row["evidence"] == "rows = 2; share = 0.123; by.spam = 2"
    assert "secret" not in str(row) and "ann" not in str(row)
    assert (row["p_value"], row["remedy"]) == (0.01, "drop them")


def test_asked_for_everything_goes() -> None:
    assert "ann@secret.example" in str(mirror_rows(PLAIN, None)[1]["finding"])


def test_an_id_made_to_break_out_of_its_quotes_is_blanked_whole() -> None:
    for hostile in ("it's", 'say "x"', "'\" both \\", "a\\", "new\nline", "'"):
        plain = Finding("c", "warning", f"first {hostile!r} and {hostile!r}").to_json()
        assert mirror_rows([plain], set())[0]["finding"] == "first '…' and '…'"


def test_the_corrected_p_is_shown_where_there_is_one() -> None:
    plain = Finding("c", "warning", "t", {"p_holm": 0.03}, p_value=0.01).to_json()
    assert finding_table("t", [plain]).rows[0][4] == 0.03
