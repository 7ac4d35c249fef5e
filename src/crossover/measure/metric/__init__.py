"""One metric a file: each a pure function of gold labels and probabilities."""
