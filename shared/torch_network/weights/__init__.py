"""Weights: where they come from, how they lie in files, and how a network is given them."""
