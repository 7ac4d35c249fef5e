"""MODEL: the rivals, one Classifier a file, torch inside only."""
