"""One file per source. A new one is a subclass of RandomNoise with a `draw`, a line here and a row in tests/cases.py."""

from .bernoulli import Bernoulli as Bernoulli
from .gaussian import Gaussian as Gaussian
from .uniform import Uniform as Uniform
