"""Bundles that are made on this machine: under which name they are kept, and by which process."""
