"""JSON bodies of tensors, and answers to them; large ones are read in a process of its own."""
