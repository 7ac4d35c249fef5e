"""LOOK: what a reader of the data would want to be told, as Findings."""
