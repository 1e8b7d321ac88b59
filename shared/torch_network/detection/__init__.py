"""Detectors as torchvision builds them, as networks of one picture that end before the last selection of boxes."""
