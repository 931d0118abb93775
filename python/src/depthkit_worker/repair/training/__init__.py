"""Training of repairs: the dense weights stay as they are, what was added learns. See docs/training.md."""
