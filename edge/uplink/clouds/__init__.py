"""An edge with several clouds: which of them is asked about a frame, and what becomes of the frame if that one does not answer."""
