"""Memory: what the system says is taken, how much fits, and what to do when it was too much."""
