"""RECORD: what a run left behind, one directory a digest."""
