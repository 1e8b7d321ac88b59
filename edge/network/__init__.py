"""Which network this edge runs: found, fetched from the cloud, loaded, and exchanged while frames flow."""
