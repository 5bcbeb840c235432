"""Training: `tn.fit`, a loop on Hugging Face Accelerate, which is imported when fit runs.

fit          the one function, and what its arguments mean
settings     the arguments, checked
loop         epochs, early stopping, checkpoints
trainer      one optimizer step, exactly the mean over its examples
evaluate     validation
loaders      batches in an order that is a function of (seed, epoch), shared out among processes
batches      a batch taken apart
losses, metrics, schedulers   defaults, and what users give
streams      random states: the loader's own, and the training's, kept and put back
distributed  Accelerate's Accelerator, for the time of a fit
states       nested state as tensors and JSON
checkpoint   folders written at once or not at all
fingerprint  whether a checkpoint is of this run
interrupt    Ctrl-C, at the next step's boundary
history, plotting, progress   what people read
"""

from .fit import fit as fit
from .history import History as History
from .interrupt import Interrupted as Interrupted
