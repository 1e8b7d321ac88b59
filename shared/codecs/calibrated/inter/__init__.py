"""The codec `calibrated-inter`: `calibrated` for a stream, in which a frame is coded by what is known of those before it."""
