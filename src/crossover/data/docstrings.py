"""The embedded default: which library does a docstring come from? Real text, no network.

First paragraphs of the docstrings of the installed scientific libraries, read by ast: nothing is
imported or run. Library names are masked, so that the words around them have to tell.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import hashlib
import importlib.metadata
import importlib.util
import re
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, cast

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Card, Corpus
from crossover.data.facts import check_facts, check_names
from crossover.data.flaw.flaw import Flaw
from crossover.data.flaw.planting import planted

LIBRARIES: Mapping[str, tuple[str, ...]] = {
    "networkx": ("networkx",),
    "numpy": ("numpy",),
    "pandas": ("pandas",),
    "scikit-learn": ("scikit-learn", "scikit learn", "scikit", "sklearn"),
    "scipy": ("scipy",),
    "sympy": ("sympy",),
    "torch": ("torch",),
    "transformers": ("transformers", "huggingface", "hugging face", "hugging-face"),
}
"""Distribution -> names by which a text could call it; each is masked, also inside longer words."""

ALIASES = ("np", "pd", "sp", "sk", "nx", "hf", "xp")
"""Short names, masked where they stand alone or lead a dotted path."""

SUBPACKAGES = (
    "linalg", "f2py", "ndarray", "ndimage", "fftpack", "ctypeslib", "matrixlib", "nanops", "groupby",
    "autograd", "inductor", "dynamo", "functorch", "libtorch", "aten", "fsdp", "jit", "cython_blas",
    "cython_lapack", "polys", "readwrite", "linear_model", "feature_extraction",
    "model_selection", "modeling_utils", "tokenization_utils", "generation_utils",
)  # fmt: skip
"""Sub-packages and modules that name their library, masked as whole words (any dotted path under a
library's name goes with it)."""

MASK = "library"

_IMPORTS = {"scikit-learn": "sklearn"}
_LEFT_OUT = frozenset(
    (
        "test", "tests", "testing", "benchmarks", "externals", "extern", "vendor", "_vendor",
        "third_party", "array_api_compat", "array_api_extra", "__pycache__",
    )
)  # fmt: skip
_SECTION = re.compile(r"(?:Args|Arguments|Parameters|Returns?|Raises|Yields|Attributes|Examples?|Notes?):?")


class Docstring(NamedTuple):
    """A masked first paragraph, the module it stands in, and what it describes."""

    text: str
    module: str
    kind: str


@dataclass(frozen=True)
class Docstrings:
    """Masked first paragraphs of docstrings, labelled with their library.

    Meta columns: ``module`` (group: its neighbours repeat its words) and ``kind`` (category:
    class, function or method). Exact copies stay rows of their own; a split groups them.

    Args:
        libraries: distributions to read, of :data:`LIBRARIES`.
        per_library: about how many rows a library may give: files are taken in an order fixed by
            their path's hash until that many are reached, so that no library drowns the others.
        min_words: shorter paragraphs are left out.
        expect: ``rows`` and ``labels``, checked where ``versions`` (distribution -> version),
            ``python`` ("3.11") and ``platform`` ("linux") are as stated; else skipped, and the
            card says so.
        name: of the corpus.
        flaw: name -> flaw planted after the checks, see docs/flaws.md.
    """

    libraries: list[str] = field(default_factory=lambda: list(LIBRARIES))
    per_library: int = 6000
    min_words: int = 5
    expect: dict[str, object] | None = None
    name: str = "docstrings"
    flaw: dict[str, Flaw] | None = None

    def load(self) -> Corpus:
        """Read the installed libraries.

        Raises:
            BadInput: a library is unknown, not installed, or gives nothing; facts differ.
        """
        if self.per_library < 1 or self.min_words < 1:
            raise BadInput(f"per_library {self.per_library} and min_words {self.min_words}: at least 1 each")
        expect = dict(self.expect or {})
        check_names(expect, ("rows", "labels", "versions", "python", "platform"), self.name)
        texts: list[str] = []
        labels: list[str] = []
        modules: list[str] = []
        kinds: list[str] = []
        versions: dict[str, str] = {}
        for library in sorted(set(self.libraries)):
            with _no_garbage_collection():
                rows = read_library(library, self.per_library, self.min_words)
            versions[library] = importlib.metadata.version(library)
            texts += [row.text for row in rows]
            labels += [library] * len(rows)
            modules += [row.module for row in rows]
            kinds += [row.kind for row in rows]
        differs = _differences(expect, versions)
        corpus = Corpus.from_columns(
            self.name,
            texts,
            labels,
            _card(versions, differs if expect else ""),
            meta={"module": ("group", modules), "kind": ("category", kinds)},
        )
        if not differs:
            check_facts(corpus, expect, "the installed libraries")
        return planted(corpus, self.flaw)


def read_library(library: str, per_library: int, min_words: int) -> list[Docstring]:
    """The docstrings of one library, by file and line.

    Raises:
        BadInput: not in :data:`LIBRARIES`, not installed, or without docstrings.
    """
    if library not in LIBRARIES:
        raise BadInput(f"library {library!r}: expected one of {sorted(LIBRARIES)} (data.libraries=[...])")
    root = _folder(library)
    files = {path.relative_to(root).as_posix(): path for path in root.rglob("*.py")}
    chosen = [name for name in files if _is_source(name)]
    chosen.sort(key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    found: dict[str, list[Docstring]] = {}
    count = 0
    for name in chosen:
        module = ".".join([root.name, *Path(name).with_suffix("").parts]).removesuffix(".__init__")
        found[name] = list(_docstrings_of(files[name].read_bytes(), module, min_words))
        count += len(found[name])
        if count >= per_library:
            break
    if not count:
        raise BadInput(f"{library} is installed without docstrings; install the full package")
    return [row for name in sorted(found) for row in found[name]][:per_library]


def mask_names(text: str) -> str:
    """The text with every library name, alias, import and dotted path under one as :data:`MASK`."""
    if _NAMED.search(text) is None:
        return text
    return _IMPORT.sub(MASK, _MASKED.sub(MASK, text))


def _docstrings_of(source: bytes, module: str, min_words: int) -> Iterator[Docstring]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # of the library read, not of ours
            tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return  # a template, or syntax of a later Python
    pending: list[tuple[ast.AST, bool]] = [(tree, False)]
    while pending:
        node, in_class = pending.pop()
        inside: list[tuple[ast.AST, bool]] = []
        is_class = isinstance(node, ast.ClassDef)
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            kind = "class" if is_class else "method" if in_class else "function"
            text = _first_paragraph(ast.get_docstring(node))
            if len(text.split()) >= min_words:
                yield Docstring(text, module, kind)
        for name in ("body", "orelse", "handlers", "finalbody"):
            part = getattr(node, name, None)
            if isinstance(part, list):
                inside += [(child, is_class) for child in part]
        pending += reversed(inside)


def _first_paragraph(docstring: str | None) -> str:
    if not docstring:
        return ""
    lines: list[str] = []
    for line in re.split(r"\n\s*\n", docstring.strip(), maxsplit=1)[0].splitlines():
        if _SECTION.fullmatch(line.strip()):
            break  # a list of parameters, not a sentence
        if not line.lstrip().startswith((">>>", "...")):
            lines.append(line)
    prose = " ".join(lines)
    # A lone surrogate can stand in a docstring's escapes; no UTF-8 file could hold it.
    return mask_names(" ".join(prose.encode("utf-8", "replace").decode("utf-8").split()))


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    # Syntax trees are millions of objects without cycles: collecting takes a fifth of the time.
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _is_source(name: str) -> bool:
    parts = name.split("/")
    return not (_LEFT_OUT & set(parts)) and not parts[-1].startswith(("test_", "conftest"))


def _folder(library: str) -> Path:
    # find_spec of a top-level name looks for its folder and runs nothing of it.
    spec = importlib.util.find_spec(_IMPORTS.get(library, library))
    if spec is None or not spec.submodule_search_locations:
        raise BadInput(
            f"{library} is not installed; pip install {library}, or leave it out of data.libraries"
        )
    return Path(next(iter(spec.submodule_search_locations)))


def _differences(expect: Mapping[str, object], versions: Mapping[str, str]) -> str:
    """What of this machine is not what the expected facts were counted on."""
    differ: list[str] = []
    stated = cast(Mapping[str, str], expect.get("versions", {}))
    for library, version in stated.items():
        # The part after + names a build (cpu, cu128), not other sources.
        found = versions.get(library, "not read").split("+")[0]
        if found != version.split("+")[0]:
            differ.append(f"{library} {found} for {version}")
    python = "{}.{}".format(*sys.version_info)
    if expect.get("python", python) != python:
        differ.append(f"Python {python} for {expect['python']}")
    if expect.get("platform", sys.platform) != sys.platform:
        differ.append(f"{sys.platform} for {expect['platform']}")
    return ", ".join(differ)


def _card(versions: Mapping[str, str], differs: str) -> Card:
    notes = ["library names, their aliases and paths under them are masked as " + repr(MASK)]
    if differs:
        notes.append(f"expected rows not checked: they were counted on other versions ({differs})")
    return Card(
        source="docstrings of the installed packages " + ", ".join(versions),
        sampling="first paragraph of each class, function and method; files in hash order up to a cap",
        licence="BSD-3-Clause (networkx, numpy, pandas, scikit-learn, scipy, sympy, torch), "
        "Apache-2.0 (transformers)",
        dates="as released with the versions given",
        population="English documentation of scientific Python libraries",
        seen_in_pretraining="public code and documentation are in the training text of nearly every encoder "
        "(all-MiniLM-L6-v2: CodeSearchNet's pairs of code and docstring): a demonstration, never evidence "
        "that pretraining pays",
        notes=tuple(notes),
        versions=dict(versions),
    )


def _any_of(words: Sequence[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_INSIDE = _any_of([name for names in LIBRARIES.values() for name in names])
_ALONE = _any_of([*ALIASES, *SUBPACKAGES])
_NAMED = re.compile(rf"{_INSIDE}|(?<!\w)(?:{_ALONE})(?!\w)", re.IGNORECASE)
_MASKED = re.compile(
    rf"(?<!\w)(?:\w+[.\-])*\w*(?:{_INSIDE})\w*(?:\.\w+)*|(?<!\w)(?:\w+\.)*(?:{_ALONE})(?!\w)(?:\.\w+)*",
    re.IGNORECASE,
)
_IMPORT = re.compile(
    rf"\bfrom {MASK} import [\w.]+(?: as \w+)?(?:, ?\w+)*|\bimport {MASK}(?: as \w+)?", re.IGNORECASE
)
