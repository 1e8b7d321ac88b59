"""Videos from the network, each decoded in a process of its own."""
