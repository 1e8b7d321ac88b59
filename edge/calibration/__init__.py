"""Fitting the codec `calibrated` to a user's own frames."""
