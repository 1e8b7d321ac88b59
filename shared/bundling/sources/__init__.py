"""From a source to an OpenVINO model and what the source says of itself."""
