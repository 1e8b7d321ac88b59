"""What all forms have in common: scores, places and pyramids."""
