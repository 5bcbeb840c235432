"""The models that are trained. `find` gives one by its name, for data."""

from .find import find
from .spec import Model, Training
from .weights import fingerprint, parameter_count

__all__ = ["Model", "Training", "find", "fingerprint", "parameter_count"]
