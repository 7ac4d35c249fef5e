"""SPLIT: a Corpus becomes a Split that every rival shares."""
