"""One file per source. A new one: a subclass of RandomNoise with a `draw`, a line here, a row in tests/cases.py."""

from .bernoulli import Bernoulli as Bernoulli
from .gaussian import Gaussian as Gaussian
from .uniform import Uniform as Uniform
