"""The codec `calibrated` and what it is made of."""
