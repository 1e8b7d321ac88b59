"""Events to targets that fail at random: none may be lost, and no frame may be slowed by them."""
