"""One short description for each architecture that depthkit can take apart."""

from depthkit_worker.models.families.family import Companions, Family
from depthkit_worker.models.families.known import FAMILIES, family_of, unknown

__all__ = ["FAMILIES", "Companions", "Family", "family_of", "unknown"]
