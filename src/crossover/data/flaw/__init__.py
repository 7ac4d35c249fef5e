"""Known flaws that can be planted in any corpus."""
