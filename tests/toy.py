"""A small made corpus, its split and a store: what the tests of whole runs stand on."""

from pathlib import Path

import numpy as np

from crossover.data.corpus import Card, Corpus
from crossover.protocol.component import Component, component
from crossover.record.store import Store
from crossover.split.split import Split

CARD = Card("made for tests", "seeded", "none needed", "2026", "nobody")
GOOD = ["meeting", "report", "agenda", "lunch", "project", "draft", "budget", "notes", "review", "plan"]
SPAM = ["winner", "prize", "free", "claim", "offer", "cash", "urgent", "bonus", "credit", "cheap"]
BOTH = ["the", "a", "to", "of", "and", "you", "we", "is", "this", "please", "for", "on", "with"]


def toy_corpus(rows: int = 400, seed: int = 0, overlap: float = 0.25) -> Corpus:
    """Two classes whose words overlap: learnable, never perfectly."""
    draw = np.random.default_rng(seed)
    texts, labels = [], []
    for _ in range(rows):
        label = "spam" if draw.random() < 0.4 else "good"
        own, other = (SPAM, GOOD) if label == "spam" else (GOOD, SPAM)
        words = [
            str(draw.choice(BOTH if draw.random() < 0.6 else (other if draw.random() < overlap else own)))
            for _ in range(int(draw.integers(6, 14)))
        ]
        texts.append(" ".join(words))
        labels.append(label)
    return Corpus.from_columns("toy", texts, labels, CARD)


def toy_split(corpus: Corpus, test: float = 0.4, half: float = 0.1, seed: int = 1) -> Split:
    """A plain random split, without looking at duplicates."""
    order = np.random.default_rng(seed).permutation(len(corpus))
    ids = [corpus.ids[k] for k in order]
    n_test, n_half = int(test * len(ids)), int(half * len(ids))
    cut = {
        "train": ids[n_test + 2 * n_half :],
        "select": ids[n_test : n_test + n_half],
        "calibrate": ids[n_test + n_half : n_test + 2 * n_half],
        "test": ids[:n_test],
    }
    return Split(corpus.fingerprint, {part: tuple(members) for part, members in cut.items()})


def toy_store(folder: Path, rows: int = 400) -> tuple[Store, Corpus, Split]:
    """A store that holds the toy corpus and its split."""
    corpus = toy_corpus(rows)
    split = toy_split(corpus)
    store = Store(folder)
    store.save_corpus(corpus)
    store.save_split(split)
    return store, corpus, split


def bayes() -> Component:
    """A model that fits in milliseconds."""
    return component("crossover.model.naive_bayes.NaiveBayes")


def logistic() -> Component:
    """TF-IDF logistic regression with its defaults."""
    return component("crossover.model.logistic_regression.LogisticRegression")
