"""Whether a model of the user's fits the data, as `torchnoise train` asks."""

from ..lab.models.probe import evaluating, probe, wanted

__all__ = ["evaluating", "probe", "wanted"]
