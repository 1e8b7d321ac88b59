"""The report on peers: the same tail behind other servers and behind ours, each in an environment of its own."""
