"""MEASURE: arrays and Predictions in, Scores with intervals out; knows no model."""
