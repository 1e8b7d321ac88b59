"""Sources with a pace of their own: webcams and streams. They may hang, vanish and come back."""
