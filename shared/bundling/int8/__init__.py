"""int8: quantising a network after training, on pictures of its user, and finding what of it has to stay in float."""
