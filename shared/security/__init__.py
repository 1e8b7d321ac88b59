"""Who may do what, and what is believed: TLS, and what else keeps strangers and lies out."""
