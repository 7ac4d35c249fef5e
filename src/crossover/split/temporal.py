"""Temporal: fit on the past, test on the latest rows, with a gap between."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from crossover.data.bad_input import BadInput
from crossover.data.corpus import Corpus
from crossover.split.allotment import four_parts, halve
from crossover.split.clusters import Parts, clusters_of_parts, duplicate_groups, join, keep_in_last, labelled
from crossover.split.finish import check_seen, finish
from crossover.split.split import Split


class Temporal:
    """Split by time: train, then validation, then test.

    Each cut lies at the time that comes nearest to the share asked; rows at that very time all
    go to the later side. Copies of a later part's rows are put in reserve, so that the future
    stays as it comes.

    Args:
        time: declared meta column of ISO 8601 times.
        test: share of the timed rows, the latest.
        validation: share of the timed rows, before the test; halved at random into select and
            calibrate.
        gap: days between a part and the next: rows nearer to the cut are in reserve.
        timezone: zone of times that name none, e.g. ``UTC`` or ``Europe/Paris``; without it
            such times are refused.
        missing_time: rows without a time are refused (``refuse``), or go to ``train`` or
            ``reserve``.
        unseen_labels: rows of a later part whose label no training row has: ``refuse`` or
            ``reserve``.
        seed: of the halving.
        group_duplicates: ``near``, ``normalised`` or ``none``, see Stratified.
        threshold: Jaccard similarity of near-duplicates.
        tolerance: by how much of the rows asked ties may change a part.
        sealed: share of the timed rows, the very latest, set aside as the next test part.
    """

    def __init__(
        self,
        time: str = "date",
        test: float = 0.2,
        validation: float = 0.1,
        gap: float = 0.0,
        timezone: str | None = None,
        missing_time: str = "refuse",
        unseen_labels: str = "refuse",
        seed: int = 0,
        group_duplicates: str = "normalised",
        threshold: float = 0.5,
        tolerance: float = 0.1,
        sealed: float = 0.0,
    ) -> None:
        self.time = time
        self.test = test
        self.validation = validation
        self.gap = gap
        self.timezone = timezone
        self.missing_time = missing_time
        self.unseen_labels = unseen_labels
        self.seed = seed
        self.group_duplicates = group_duplicates
        self.threshold = threshold
        self.tolerance = tolerance
        self.sealed = sealed

    def split(self, corpus: Corpus) -> Split:
        """Cut the corpus.

        Raises:
            BadInput: a time is missing, without zone or unreadable (with its row), ties leave no
                cut near the sizes asked, or a label occurs only later than train.
        """
        asked = four_parts(self.test, self.validation, self.sealed)
        labels = labelled(corpus)
        times, untimed = self._times(corpus, labels)
        cut, validation, parts = self._cut(times)
        in_gap = len(times) - sum(map(len, parts.values()))
        if self.missing_time == "train":
            parts["train"].extend(untimed)
        copies = duplicate_groups(corpus, labels, self.group_duplicates, self.threshold)
        parts, leaked = keep_in_last(parts, copies)
        parts, unseen = check_seen(labels, parts, self.unseen_labels)
        halves = halve(parts["validation"], labels, join(labels, [copies]), self.seed)
        parts = {"train": parts["train"], **halves, "test": parts["test"], "sealed": parts["sealed"]}
        return finish(
            corpus,
            parts,
            clusters_of_parts(parts, [copies]),
            method="temporal",
            settings=vars(self),
            asked={**asked, "test_from": cut.isoformat(), "validation_from": validation.isoformat()},
            reserve={
                "unlabelled": len(corpus) - len(labels),
                "without a time": len(untimed) if self.missing_time == "reserve" else 0,
                "in a gap": in_gap,
                "copies of rows in a later part": leaked,
                "label unseen in train": unseen,
            },
        )

    def _cut(self, times: Mapping[str, datetime]) -> tuple[datetime, datetime, Parts]:
        if self.gap < 0:
            raise BadInput(f"split.gap={self.gap}: expected a number of days from 0 up")
        gap = timedelta(days=self.gap)
        order = sorted(times, key=lambda id_: (times[id_], id_))
        rows, sealed = len(order), []
        if self.sealed:
            seal = self._nearest([times[id_] for id_ in order], self.sealed * rows, "sealed")
            sealed = [id_ for id_ in order if times[id_] >= seal]
            order = [id_ for id_ in order if times[id_] < seal]
        cut = self._nearest([times[id_] for id_ in order], self.test * rows, "test")
        before = [id_ for id_ in order if times[id_] < cut and cut - times[id_] >= gap]
        start = cut
        if self.validation:
            start = self._nearest([times[id_] for id_ in before], self.validation * rows, "validation")
        train = [id_ for id_ in before if times[id_] < start and start - times[id_] >= gap]
        if not train:
            raise BadInput(
                f"no row lies {self.gap} days or more before {start.isoformat()}, where validation or test "
                "begins: ask for a smaller gap (split.gap) or smaller parts"
            )
        validation = [id_ for id_ in before if times[id_] >= start]
        test = [id_ for id_ in order if times[id_] >= cut]
        return cut, start, {"train": train, "validation": validation, "test": test, "sealed": sealed}

    def _nearest(self, ordered: list[datetime], wanted: float, part: str) -> datetime:
        """The time from which on the number of rows is nearest to the number wanted."""
        starts = [k for k in range(1, len(ordered)) if ordered[k] != ordered[k - 1]]
        if not starts:
            raise BadInput(
                f"the {len(ordered):,} rows before the {part} cut share one {self.time!r}: there is no time "
                "to cut at; use a finer time column or another way to split"
            )
        best = min(starts, key=lambda k: (abs(len(ordered) - k - wanted), k))
        obtained = len(ordered) - best
        if abs(obtained - wanted) > max(self.tolerance * wanted, 2):
            raise BadInput(
                f"ties in {self.time!r} leave no cut near the sizes asked: {part} would get {obtained:,} "
                f"rows for {wanted:,.0f}; raise split.tolerance (now {self.tolerance}) or change split.{part}"
            )
        return ordered[best]

    def _times(self, corpus: Corpus, labels: Mapping[str, str]) -> tuple[dict[str, datetime], list[str]]:
        if self.missing_time not in ("refuse", "train", "reserve"):
            raise BadInput(
                f"split.missing_time={self.missing_time!r}: expected 'refuse', 'train' or 'reserve'"
            )
        zone = self._zone()
        times: dict[str, datetime] = {}
        untimed: list[str] = []
        for row, (id_, value) in enumerate(zip(corpus.ids, corpus.meta_values(self.time), strict=True)):
            if id_ not in labels:
                continue
            if value in (None, ""):
                untimed.append(id_)
                continue
            where = f"{corpus.name}, row {row + 1} (id {id_!r}), {self.time}={value!r}"
            try:
                moment = datetime.fromisoformat(str(value))
            except ValueError:
                raise BadInput(
                    f"{where}: not an ISO 8601 time such as 2004-02-29T13:05:00+00:00; rewrite the column"
                ) from None
            if moment.tzinfo is None:
                if zone is None:
                    raise BadInput(
                        f"{where}: names no time zone, so rows cannot be put in order; say which it is "
                        "(split.timezone=UTC)"
                    )
                moment = moment.replace(tzinfo=zone)
            times[id_] = moment.astimezone(UTC)
        if untimed and self.missing_time == "refuse":
            raise BadInput(
                f"{corpus.name}: {len(untimed):,} labelled rows have no {self.time!r}, first {untimed[0]!r} "
                f"(row {corpus.row_of[untimed[0]] + 1}); put them in train or in reserve "
                "(split.missing_time=train or reserve)"
            )
        return times, untimed

    def _zone(self) -> ZoneInfo | None:
        if self.timezone is None:
            return None
        try:
            return ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError):
            raise BadInput(
                f"split.timezone={self.timezone!r}: no such zone; expected a name like UTC or Europe/Paris"
            ) from None
