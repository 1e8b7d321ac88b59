"""What plans are made from: what each option costs on this machine, and halves that are compiled."""
