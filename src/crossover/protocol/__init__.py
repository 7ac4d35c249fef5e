"""SPECIFY: what a run is, fixed before it is fitted: RunSpec and its digest."""
