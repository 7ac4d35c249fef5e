"""REPEAT: a question asked with many runs, answered by a Verdict."""
