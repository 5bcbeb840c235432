"""What a strength is relative to: one file for each family, and the names that plans use.

    None    absolute: scale 1, the unit of x itself
    "abs"   |x|, element by element
    "rms"   sqrt(mean x^2) of each example
    "std"   population standard deviation of each example
    "max"   the largest |x| of each example (of the whole matrix, for weights)
    "size"  1 / sqrt(number of elements of each example), as NEFTune has it
    "l2"    each example's noise has Euclidean norm `strength`
    "linf"  each example's noise has largest element `strength`

Where the batch axis holds several rows of each example (merged=True), each row counts as an example here.

And the values SNR(db), RunningStd(axis) and Learned(start, prior). A new one: a subclass of Magnitude, and a row here
or a public name.
"""

from .magnitude import Magnitude as Magnitude
from .measured import Measured as Measured
from .measured import absolute_value, largest, rms, size, std
from .norms import OfNorm as OfNorm
from .running import RunningStd as RunningStd
from .snr import SNR as SNR

MAGNITUDES: dict[str, Magnitude] = {
    "abs": Measured(absolute_value, "of |x|", of_one_element=True),
    "rms": Measured(rms, "of rms(x)"),
    "std": Measured(std, "of std(x)"),
    "max": Measured(largest, "of max |x|"),
    "size": Measured(size, "over sqrt(size)"),
    "l2": OfNorm(2),
    "linf": OfNorm(float("inf")),
}
# the measures of x alone, by name
MEASURES = {name: found.measure for name, found in MAGNITUDES.items() if isinstance(found, Measured)}
