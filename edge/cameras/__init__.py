"""The cameras of an edge: each with its own source, order and drops, all with one network and one uplink."""
