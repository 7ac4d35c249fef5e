"""A data set of the Hugging Face hub at a pinned commit, or the same data in a local file.

Not tested online: the tests serve a local folder as a data set. No data set's own code is run;
``datasets`` reads parquet, csv and JSON files only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.data.facts import check_facts, check_names
from crossover.data.flaw.flaw import Flaw
from crossover.data.flaw.planting import planted
from crossover.data.reading import Reading
from crossover.data.table_file import Columns, card_of, declared_meta, read_files, text_columns
from crossover.data.table_rows import RawTable, from_arrow, stack

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class HubDataset:
    """Rows of one or several splits of a hub data set; integer codes become their class names.

    Args:
        repo: ``owner/name`` on the hub, or a local folder of data files.
        revision: the commit to read, 40 hex; the hub is refused without one (a branch moves).
        split: a split, a list of splits, or a mapping part -> split; with several each row's
            split (or part) goes into the category column ``part``.
        config: the data set's configuration, where it has several.
        path: local files to read instead, as :class:`~crossover.data.table_file.TableFile` does:
            one, a list, or a mapping part -> file.
        rename: the hub's column -> name used here, where a file has it; other arguments speak of
            the new names.
        hub_lacks: meta columns that only the local files have; left out when the hub is read.
        cache_dir: where ``datasets`` keeps its files; None is its own default.
        expect: facts to check: ``rows``, ``labels`` (label -> count); with ``of: path`` they
            hold for the local files only.
        text, label, id, meta, timezone, labels, missing_label, part, card, name: as of ``TableFile``.
    """

    repo: str
    name: str
    revision: str | None = None
    split: str | list[str] | dict[str, str] = "train"
    config: str | None = None
    path: str | list[str] | dict[str, str] | None = None
    text: str | list[str] = "text"
    label: str = "label"
    id: str | None = None
    meta: dict[str, str | None] | None = None
    timezone: str | None = None
    labels: dict[str, str | None] | None = None
    missing_label: str = "keep"
    rename: dict[str, str] | None = None
    part: str = "part"
    hub_lacks: list[str] | None = None
    cache_dir: str | None = None
    card: dict[str, object] | None = None
    expect: dict[str, object] | None = None
    flaw: dict[str, Flaw] | None = None

    def load(self) -> Corpus:
        """Read, check and return the corpus.

        Raises:
            BadInput: no revision, nothing cached and no network, or as ``TableFile`` raises.
        """
        expect = dict(self.expect or {})
        check_names(expect, ("rows", "labels", "of"), self.name)
        meta = declared_meta(self.meta)
        if self.path is None:
            meta = {column: kind for column, kind in meta.items() if column not in (self.hub_lacks or ())}
        if isinstance(self.path, Mapping) or (self.path is None and not isinstance(self.split, str)):
            meta.setdefault(self.part, "category")
        columns = Columns(
            text_columns(self.text), self.label, self.id, meta, self.timezone,
            cast(Mapping[object, object] | None, self.labels), self.missing_label,
        )  # fmt: skip
        if self.path is None:
            table = self._from_hub(columns.names)
        else:
            table = read_files(self.path, columns.names, Reading(), self.rename or {}, self.part)
        card = card_of(self.card, table.where)
        corpus = columns.corpus(table, self.name, card)
        if self.path is not None or expect.get("of") != "path":
            check_facts(corpus, expect, table.where)
        return planted(corpus, self.flaw)

    def _from_hub(self, keep: set[str]) -> RawTable:
        self._check_pinned()
        several: list[tuple[str | None, str]]
        if isinstance(self.split, str):
            several = [(None, self.split)]
        elif isinstance(self.split, Mapping):
            several = list(self.split.items())
        else:
            several = [(split, split) for split in self.split]
        tables = []
        for part, split in several:
            table = self._split(split, keep | set(self.rename or {})).renamed(self.rename or {})
            tables.append(table if part is None else table.with_part(self.part, part))
        if not tables:
            raise BadInput(f"{self.name}: no split is named; give data.split=train or a list")
        return stack(tables)

    def _check_pinned(self) -> None:
        if Path(self.repo).is_dir() or (self.revision and _COMMIT.fullmatch(self.revision)):
            return
        raise BadInput(
            f"{self.name}: the hub data set {self.repo} is "
            + (f"at revision {self.revision!r}, which can move" if self.revision else "not pinned")
            + '; pin the commit with data.revision=<40 hex> (the newest: python -c "import huggingface_hub; '
            f"print(huggingface_hub.dataset_info('{self.repo}').sha)\"), or read a local file with "
            "data.path=..."
        )

    def _split(self, split: str, keep: set[str]) -> RawTable:
        import datasets  # slow to import, and only this branch needs it

        bars = datasets.are_progress_bars_disabled()
        datasets.disable_progress_bars()
        try:
            data = datasets.load_dataset(
                self.repo, self.config, split=split, revision=self.revision, cache_dir=self.cache_dir
            )
        except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
            at = f" at revision {self.revision}" if self.revision else ""
            fetch = f" --revision {self.revision}" if self.revision else ""
            raise BadInput(
                f"{self.name}: split {split!r} of {self.repo}{at} cannot be read "
                f"({type(error).__name__}: {str(error)[:300]}); with a network fetch it by "
                f"'hf download --repo-type dataset {self.repo}{fetch} --local-dir DIR' and read that folder "
                "with data.repo=DIR, or a local file with data.path=..."
            ) from error
        finally:
            if not bars:
                datasets.enable_progress_bars()
        arrow = data.with_format("arrow")[:]
        where = f"{self.repo}, split {split}"
        table = from_arrow(arrow, keep, where)
        codes = {
            name: tuple(feature.names)
            for name, feature in data.features.items()
            if isinstance(feature, datasets.ClassLabel)
        }
        return RawTable(table.names, table.columns, table.count, where, class_names=codes)
