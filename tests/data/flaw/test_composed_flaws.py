"""Flaws chosen as a user chooses them, by overrides: what cannot be planted is refused by name."""

import pytest
from commands_given import write_csv
from hydra import compose, initialize_config_dir
from planted_rows import NAMES, flaw_of, letters, plain

from crossover.compose import CONF, Composed
from crossover.data.bad_input import BadInput
from crossover.data.flaw.planting import undo

INBOX = ("data=inbox", "data.rows=100")


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Overrides that name a csv of the user's own, without times."""
    corpus = letters(120)
    rows = zip(corpus.texts, corpus.labels, corpus.meta_values("region"), strict=True)
    file = tmp_path_factory.mktemp("own") / "own.csv"
    write_csv(file, [["text", "label", "region"], *((t, lb or "", r or "") for t, lb, r in rows)])
    return ("data=table_file", f"data.path={file}", "+data.meta.region=category")


def load(*overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return Composed(compose("config", overrides=list(overrides))).source.load()


def planting(name, *overrides, strength="0.5"):
    return (*INBOX, f"data.flaw.{name}.strength={strength}", *(f"data.flaw.{name}.{o}" for o in overrides))


def test_the_inbox_lists_every_flaw_at_strength_zero():
    corpus = load(*INBOX)
    assert corpus.table.equals(plain("inbox").table.slice(0, 100)) and not corpus.truth.flaws
    corpus = load(*INBOX, *(f"data.flaw.{name}.strength=0.5" for name in NAMES))
    assert set(corpus.truth.flaws) == set(NAMES)
    assert undo(corpus).table.equals(plain("inbox").table.slice(0, 100))


@pytest.mark.parametrize("name", ["label_noise", "vitamin", "campaign"])
def test_a_flaw_is_added_to_a_file_by_name(name, own):
    added = (f"+flaw@data.flaw.{name}={name}", f"data.flaw.{name}.strength=0.5")
    corpus, zero = load(*own, *added), load(*own, *added, f"data.flaw.{name}.strength=0")
    assert undo(corpus).table.equals(zero.table) and not zero.truth.flaws
    assert 0 < len(corpus.truth.ids(name)) < len(corpus)
    assert corpus.truth.flaws[name] == flaw_of(name, strength=0.5).settings()
    assert load(*own).truth is None


def test_one_kind_is_added_twice_under_two_names(own):
    words = [
        f"{key}={value}"
        for at, label in (("first", "good"), ("second", "phishing"))
        for key, value in (
            (f"+flaw@data.flaw.{at}", "footer"),
            (f"data.flaw.{at}.strength", "1"),
            (f"data.flaw.{at}.label", label),
        )
    ]
    corpus = load(*own, *words)
    assert list(corpus.truth.flaws) == ["first", "second"]
    assert len(corpus.truth.ids("second")) == letters(120).labels.count("phishing")


@pytest.mark.parametrize("name", NAMES)
def test_a_strength_above_one_is_refused_before_anything_is_read(name):
    with pytest.raises(
        BadInput, match=f"flaw {flaw_of(name).kind}: strength=1.5; expected a number from 0 to 1"
    ):
        load(*planting(name, strength="1.5"), "data.rows=10000000")


@pytest.mark.parametrize("strength", ["-0.1", "nan", "inf", "true", "much", "null", "[0.5]"])
def test_a_strength_that_is_no_share_is_refused(strength):
    with pytest.raises(BadInput, match=r"strength.*(expected|is a|null is no)"):
        load(*planting("footer", strength=strength))


REFUSED = {
    "class of no row": (planting("footer", "label=spam"), ["flaw footer", "'spam'", "ad_spam"]),
    "no class given": (planting("signature", "label=null"), ["flaw signature", "None is no class"]),
    "class merged into none": (planting("merged_classes", "into=spam"), ["flaw merged_classes", "'spam'"]),
    "class merged into itself": (planting("merged_classes", "into=drug_spam"), ["name two classes"]),
    "campaign of no class": (planting("campaign", "label=spam"), ["flaw campaign", "'spam'"]),
    "no campaigns": (planting("campaign", "campaigns=0"), ["campaigns=0; expected at least 1"]),
    "half a campaign": (planting("campaign", "campaigns=2.5"), ["'campaigns'", "2.5"]),
    "noise with a stranger": (planting("label_noise", "between=[good,spam]"), ["flaw label_noise", "'spam'"]),
    "noise of one class": (planting("label_noise", "between=[good]"), ["['good']; expected two classes"]),
    "noise of no list": (planting("label_noise", "between=good"), ["'between'", "'good' is no list"]),
    "vitamins of one class": (planting("vitamin", "between=[good,good]"), ["expected two classes"]),
    "unknown column": (planting("growing_slice", "column=regoin"), ["'regoin'", "'region'"]),
    "unknown value": (planting("growing_slice", "value=afrika"), ["'afrika' does not occur in column"]),
    "unknown value of label": (planting("label_shift", "value=spam"), ["'spam' does not occur in column"]),
    "no value": (planting("label_shift", "value=null"), ["None does not occur"]),
    "no date": (planting("campaign_start", "since=soon"), ["'soon' is no date such as"]),
    "date before the times": (planting("dropped_digits", "since=2020-01-01"), ["2020-01-01 lies outside"]),
    "no days": (planting("spike", "days=0"), ["days=0; expected at least 1"]),
    "three columns": (planting("meta_columns", "columns=[a,b,c]"), ["expected four different names"]),
    "column taken": (planting("meta_columns", "columns=[a,b,c,votes]"), ["has a column 'votes' already"]),
    "unknown setting": (planting("footer"), ["'lable'", "did you mean 'label'?"]),
    "no flaw": ((*INBOX, "+data.flaw.typo.strength=0.1"), ["data.flaw.typo=", "+flaw@data.flaw.typo=typo"]),
    "a flaw set to null": ((*INBOX, "data.flaw.footer=null"), ["data.flaw.footer=None: expected a flaw"]),
    "negative seed": (planting("footer", "seed=-1"), ["flaw footer: seed=-1"]),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_planted_in_the_inbox_is_refused_by_name(case):
    overrides, parts = REFUSED[case]
    more = ["+data.flaw.footer.lable=good"] if case == "unknown setting" else []
    with pytest.raises(BadInput) as refusal:
        load(*overrides, *more)
    assert not [part for part in parts if part not in str(refusal.value)], str(refusal.value)


@pytest.mark.parametrize(
    "name", ["label_shift", "growing_slice", "spike", "dropped_digits", "campaign_start"]
)
def test_a_corpus_without_times_is_told_so(name, own):
    with pytest.raises(BadInput, match=r"flaw late needs times.*no meta column of kind time"):
        load(*own, f"+flaw@data.flaw.late={name}", "data.flaw.late.strength=0.5")


def test_times_that_are_all_missing_are_told_so(own, tmp_path):
    file = write_csv(tmp_path / "bare.csv", [["text", "label", "at"], ["one", "a", ""], ["two", "b", ""]])
    with pytest.raises(BadInput, match="flaw late needs times, but no row has one"):
        load(
            *own[:1], f"data.path={file}", "+data.meta.at=time",
            "+flaw@data.flaw.late=spike", "data.flaw.late.strength=0.5",
        )  # fmt: skip


def test_one_class_leaves_no_wrong_label(own, tmp_path):
    file = write_csv(tmp_path / "one.csv", [["text", "label"], ["one", "a"], ["two", "a"]])
    with pytest.raises(BadInput, match=r"flaw n: the corpus has one class, .*there is no wrong label"):
        load(*own[:1], f"data.path={file}", "+flaw@data.flaw.n=label_noise", "data.flaw.n.strength=1")
