"""docs/validation.md: what is simulated, what was found, and where the statistics fall short."""

from collections.abc import Sequence

from linear_probing.validation import choice, coverage, p_values
from linear_probing.validation.check import Check, table
from linear_probing.validation.simulation import N_FOLDS, Design

COMMON = Design()
TEXT = f"""# Statistics on known truth

`make validate` writes this page and fails if a limit is not kept. Every simulation draws data whose truth is known and
runs the study's own code on it: folds by group, inner folds that choose the penalty, scaling in the training part, the
metric, and the interval or test. `tests/unit/test_validation.py` runs fewer simulations, with wider limits, in every
test run.

Unless the table says otherwise there are {COMMON.n_groups} groups of {COMMON.n_rows} targets, {COMMON.n_features} \
features, {N_FOLDS} folds and two penalties.
Groups have {COMMON.of_features:.0%} of the variance of the features and {COMMON.of_labels:.0%} of that of the labels' \
noise. Intervals are of {coverage.N_RESAMPLES} resamples,
tests of {p_values.N_PERMUTATIONS} permutations.

"""
NOTES = f"""
## What the numbers are

- **Coverage.** The truth is the performance of the fitted probes, one per fold, on {coverage.N_NEW:,} new groups: AUROC
  within each probe's scores, then averaged, as the estimate is within folds; R2 and macro F1 over all of them. It is
  not that of a probe fitted to all data. The limit is 2 points about the nominal {coverage.CONFIDENCE:.0%}.
- **Where it falls short.** Plain percentiles cover 1 to 3 points too little: resamples of G groups in K folds vary by
  sqrt((G - K) / G) too little. The study's intervals are expanded for it (Hesterberg 2015; G - K degrees of freedom).
  What remains is of cross-validation itself: a fold's groups train the other folds' probes, so the folds' errors are
  correlated, which no resampling of fixed scores sees (Bengio & Grandvalet 2004; Bates, Hastie & Tibshirani 2023). The
  same probes on fresh test groups, in brackets, do not have it. It grows with features per group and with what groups
  share. The lines with {coverage.WIDER.n_features} features show that, under a limit of their own,
  {coverage.SHORT:.0%}.
- **Without a signal** the dependence is all there is: the variance is twice what resampling sees, and an interval of
  95 % should hold the truth, chance, only 83.4 times in 100. So an interval that does not hold chance is no test: that
  is what permutation p-values are for. The same goes for selectivity where neither labeling can be remembered.
- **Permutation p.** Of {p_values.N_LAYERS} layers with half of their variance in common, labels drawn without regard to
  them, the p-values of all simulations are compared with a uniform distribution (Kolmogorov-Smirnov), a random part of
  one step taken off each. Rows permuted where labels are constant in groups are a wrong test, and are seen to be one.
- **Code length.** Bits of random labels over those of the uniform code; at least 1 on average. Portions that cut groups
  are the wrong way, and are seen to be it.
- **Selectivity.** Labels and features have nothing to do with each other, so task and control are alike.
- **Best layer.** {choice.N_LAYERS} layers, equally good in truth. Chosen for each fold by the loss in its inner folds,
  as the study does, the estimate is not above the truth of the probes it is made of. Chosen by the scores of the other
  folds it is, for their probes were trained on this fold's labels; by the scores of all folds, most.
"""


def document(checks: Sequence[Check]) -> str:
    """Return the page."""
    return TEXT + table(checks) + NOTES
