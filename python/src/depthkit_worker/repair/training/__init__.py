"""Training of repairs: the dense weights stay as they are, what was added learns. See docs/training.md."""

from depthkit_worker.repair.training.fills import train_fills
from depthkit_worker.repair.training.loop import Surgery, train, training_notes
from depthkit_worker.repair.training.passes import Trained

__all__ = ["Surgery", "Trained", "train", "train_fills", "training_notes"]
