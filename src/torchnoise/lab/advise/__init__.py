"""How strong noise may be, before it is trained with: from what it does to the loss of a network as it is."""

from .noises import Advice as Advice
from .noises import advise as advise
from .probe import Probe as Probe
from .probe import effort_for as effort_for
from .sites import SiteAdvice as SiteAdvice
from .sites import SitesAdvice as SitesAdvice
from .sites import advise_sites as advise_sites
from .solve import strength_at as strength_at
