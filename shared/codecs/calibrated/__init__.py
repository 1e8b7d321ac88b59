"""The codec `calibrated` and its parts."""
