"""The forms in which detectors say what they see, each a class of its own."""
