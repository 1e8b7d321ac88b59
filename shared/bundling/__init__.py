"""Making bundles: a network from any source, cut on its OpenVINO graph, checked and written to a folder."""
