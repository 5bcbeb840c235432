"""What is measured of trained networks beyond the score, and of noises beyond their effect.

measure      all of it for one network;  figures: of several, as results.json holds it
corruptions  the score under corrupted inputs
fgsm         the score under adversarial inputs
calibration  likelihood, calibration error and diagram
sharpness    the training loss under noise on the weights
cost         a step's time and memory over a clean step's
samples      what noisy inputs look like
sites        how strong noise is where it enters
"""

from .corruptions import CORRUPTIONS as CORRUPTIONS
from .cost import RelativeCost as RelativeCost
from .cost import relative_cost as relative_cost
from .measure import measure as measure
from .measured import Measured as Measured
from .measured import figures as figures
from .samples import sample as sample
from .sites import site_rows as site_rows
