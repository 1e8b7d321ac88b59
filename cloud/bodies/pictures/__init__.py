"""Files of pictures in common image formats, as clients send them: checked by their headers, then decoded."""
