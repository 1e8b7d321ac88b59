"""What a client can do to a cloud, each attack a small function that goes on until it is cancelled."""
