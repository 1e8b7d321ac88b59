"""What both sides of SplitDNN must agree on. Imports neither `edge` nor `cloud`."""

__version__ = "0.15.0"
