"""TELL: plain values and stored files become pages and figures; fits nothing."""
