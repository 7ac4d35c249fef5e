"""Text features of linear models by named block."""
