"""The lab: paired experiments that show whether a noise helps. `torchnoise compare` is its face.

data        examples, split into training, validation and a sealed test set
models      the models that are trained
noises      the candidates: what is tried, at which strengths
settings    what a comparison is told to do
run         one training run: one noise, one strength, one seed
pool        runs over processes
store       finished runs on disk, from which an interrupted comparison goes on
statistics  intervals, choices, verdicts
timing      what a noise costs per training step
compare     all of it in order
results     what results.json holds
plots, report   what report.html shows
"""
