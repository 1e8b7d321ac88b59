"""The same frames by the cloud's own door and by that of the Open Inference Protocol."""
