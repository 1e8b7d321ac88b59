"""The OpenVINO graph of a network: where it can be cut, what its operations cost, what identifies it."""
