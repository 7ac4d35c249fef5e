"""Models that go wrong on purpose, as a user's own package holds them."""
