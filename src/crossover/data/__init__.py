"""ACQUIRE: text and labels from anywhere become a Corpus with a Card."""
