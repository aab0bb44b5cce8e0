"""What happened: the facts, how they are written down, and the port of the log that keeps them."""
