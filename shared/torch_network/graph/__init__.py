"""A module as a torch.fx graph that can be cut: traced, without in-place operations, its shapes functions of the batch."""
