"""Who may do what: tokens, rights, sessions, and what is open to everybody."""
