"""One short description for each architecture that depthkit can take apart."""

from depthkit_worker.models.families.family import Family
from depthkit_worker.models.families.known import FAMILIES, family_of

__all__ = ["FAMILIES", "Family", "family_of"]
