"""Many edges and several clouds behind one balancer, while clouds are killed and links are cut."""
