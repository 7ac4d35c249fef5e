"""Docstrings: first paragraphs as written but for the masked names; nothing read is run."""

import importlib.util
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossover.data import docstrings as source
from crossover.data.bad_input import BadInput
from crossover.data.docstrings import Docstring, Docstrings, mask_names, read_library

MODULE = '''"""The module's own docstring is left out."""
raise SystemExit("this must never run")
import numpy as np

def outer(x):
    """Sum the values of an
    ``np.ndarray`` over one axis.

    A second paragraph.
    """
    def inner():
        "Short one."

class Thing:
    """Keep a numpy array of many parts."""
    if True:
        async def run(self):
            r"""Run \\d tasks until all have ended.

            Parameters
            """

def listed(a):
    """Work out what five arguments do.
    Parameters
    ----------
    a : int
    """

def lone():
    """Not a word of \\ud800 use today here."""
'''


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """A library ``networkx`` of our making, found by import machinery before the installed one."""
    package = tmp_path / "networkx"
    for name, text in {
        "__init__.py": "",
        "a.py": MODULE,
        "sub/__init__.py": 'def f():\n    """Return the fifth of all values."""\n',
        "tests/test_a.py": 'def t():\n    """Check that this is never read."""\n',
        "broken.py": "def (:\n",
    }.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    (package / "latin.py").write_bytes(b'def g():\n    """caf\xe9 of no known encoding at all."""\n')
    spec = importlib.util.spec_from_file_location(
        "networkx", package / "__init__.py", submodule_search_locations=[str(package)]
    )
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec if name == "networkx" else None)
    return package


def test_first_paragraphs_are_read_in_file_order_and_nothing_is_run(fake):
    assert read_library("networkx", 100, 5) == [
        Docstring("Sum the values of an ``library`` over one axis.", "networkx.a", "function"),
        Docstring("Keep a library array of many parts.", "networkx.a", "class"),
        Docstring(r"Run \d tasks until all have ended.", "networkx.a", "function"),
        Docstring("Work out what five arguments do.", "networkx.a", "function"),
        Docstring("Not a word of ? use today here.", "networkx.a", "function"),
        Docstring("Return the fifth of all values.", "networkx.sub", "function"),
    ]


def test_a_method_is_a_function_right_inside_a_class():
    tree = (
        b'class A:\n    def m(self):\n        """Do one two three four."""\n'
        b'        def g():\n            """Five six seven eight nine."""\n'
    )
    rows = list(source._docstrings_of(tree, "m", 5))
    assert [row.kind for row in rows] == ["method", "function"]


def test_the_cap_takes_whole_files_first_and_is_kept(fake):
    assert len(read_library("networkx", 3, 5)) == 3
    assert len(read_library("networkx", 6, 5)) == 6
    assert read_library("networkx", 3, 5) == read_library("networkx", 3, 5)


def test_absent_unknown_and_bare_libraries_are_refused(fake):
    with pytest.raises(BadInput, match="torch is not installed; pip install torch"):
        read_library("torch", 10, 5)
    with pytest.raises(BadInput, match="library 'flask': expected one of"):
        read_library("flask", 10, 5)
    with pytest.raises(BadInput, match="networkx is installed without docstrings"):
        read_library("networkx", 10, 500)
    with pytest.raises(BadInput, match="per_library 0"):
        Docstrings(per_library=0).load()


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("an ``np.ndarray`` or pd.Series", "an ``library`` or library"),
        ("Like :func:`~scipy.sparse.linalg.eigs`.", "Like :func:`~library`."),
        ("Works in NumPy. And PyTorch, too", "Works in library. And library, too"),
        ("use scikit-learn, Scikit Learn or sklearn_tags", "use library, library or library"),
        ("from sklearn.svm import SVC, LinearSVC", "library"),
        ("import numpy as np", "library"),
        ("an NP-hard problem in linalg", "an library-hard problem in library"),
        ("the input of npm stays, so does a jitter", "the input of npm stays, so does a jitter"),
        ("Hugging Face and sentence-transformers", "library and library"),
    ],
)
def test_names_aliases_imports_and_paths_become_one_word(text, masked):
    assert mask_names(text) == masked


NAMES = [name for names in source.LIBRARIES.values() for name in names]
WORDS = [*source.ALIASES, *source.SUBPACKAGES]


def survivors(text):
    low = text.casefold()
    words = set(re.findall(r"\w+", low))
    return [name for name in NAMES if name in low] + [word for word in WORDS if word in words]


@given(
    st.lists(
        st.sampled_from([*NAMES, *WORDS, "np.", ".", " ", "-", "_", "x", "`", "~", "import ", "As "]),
        max_size=12,
    ),
    st.booleans(),
)
def test_no_masked_name_survives_whatever_stands_around_it(pieces, upper):
    text = "".join(pieces)
    assert survivors(mask_names(text.upper() if upper else text)) == []


def test_text_without_names_is_untouched():
    text = "Return the eigenvalues, in ascending order (n of them)."
    assert mask_names(text) == text


def test_facts_are_checked_only_on_the_versions_they_were_counted_on(fake, monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda name: "3.6.1+cpu")
    python = "{}.{}".format(*sys.version_info)
    facts = {"python": python, "platform": sys.platform, "versions": {"networkx": "3.6.1"}, "rows": 7}

    def load(**changed):
        return Docstrings(["networkx"], expect={**facts, **changed}).load()

    with pytest.raises(BadInput, match="rows: found 6, expected 7"):
        load()
    corpus = load(rows=6)
    assert corpus.card.versions == {"networkx": "3.6.1+cpu"}
    assert "demonstration" in corpus.card.seen_in_pretraining
    assert corpus.meta == {"module": "group", "kind": "category"}
    assert not any("not checked" in note for note in corpus.card.notes)
    for changed, said in (
        ({"versions": {"networkx": "9"}}, "networkx 3.6.1 for 9"),
        ({"versions": {"numpy": "2"}}, "numpy not read for 2"),
        ({"python": "2.7"}, f"Python {python} for 2.7"),
        ({"platform": "amiga"}, f"{sys.platform} for amiga"),
    ):
        assert said in load(**changed).card.notes[-1]
