"""Samples: which rows to label or to audit, each with the probability that it was drawn."""
