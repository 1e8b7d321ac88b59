"""The edge: reads video, runs heads, sends tensors, prints classes. Imports `shared`, never `cloud`."""
