"""The candidates: which noises and regularisers are tried, at which strengths, on which data and models.

A run carries a candidate's name and strength, or the candidate itself, which other processes can unpickle.
"""

from .candidate import CLEAN as CLEAN
from .candidate import Candidate as Candidate
from .facts import Facts as Facts
from .facts import activation_types as activation_types
from .facts import facts_of as facts_of
from .files import find as find
from .files import find_all as find_all
from .files import from_file as from_file
from .fit import default_names as default_names
from .fit import in_forwards as in_forwards
from .fit import install as install
from .fit import partners as partners
from .fit import resolve as resolve
from .fit import suits as suits
from .fit import with_facts as with_facts
from .ladder import ladder as ladder
from .ladder import two_digits as two_digits
from .rows import CANDIDATES as CANDIDATES
