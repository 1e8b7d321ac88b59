"""What the pages for people have in common, on the edge and on the cloud: one document each, and a stream of states."""
