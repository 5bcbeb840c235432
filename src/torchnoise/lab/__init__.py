"""The lab: paired experiments that show whether a noise helps. `torchnoise compare` is its face.

What takes part
  data, models, task   examples with a sealed test part; what is trained; what is learned
  noises, treatments   the candidates, their ladders, and what each changes about training
  entrants, advise     the candidates for the data and model at hand; how strong they may be
What is done
  settings, budget     what a comparison is told to do, and how it fits in a given time
  prepare, run         all that runs share; one training run
  search, finals       successive halving; who is trained again on fresh seeds
  engines, jobs        processes of this machine or of several, and the pieces of work they carry
  trainer, store       trains what is not trained yet; finished work on disk
  measures, measuring  what is measured of a trained network; the finalists on the test set
What is said
  compare              all of it in order
  statistics           intervals, choices, verdicts: pure functions of numbers
  findings, assemble, pairs, results   what was found, and results.json, which is made of it
  report, against      the page, and what changed since an earlier one
"""
