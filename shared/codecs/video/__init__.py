"""h264, h265 and av1: pictures of one camera as a video, one after another."""
