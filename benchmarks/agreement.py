"""Agreement of our solver with scikit-learn's over 100 outer folds: penalties chosen, AUROC, directions.

The oracle is scikit-learn's pipeline in float64, lbfgs to a tolerance of 1e-8. Out: the worst case of every limit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
from jaxtyping import Float
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from linear_probing.solving import logistic
from nested import PENALTIES, Data, draw, loop, nested_folds, ours, pipeline

ORACLE: dict[str, Any] = {"tol": 1e-8, "max_iter": 10_000}
N_SETS = 20
SHAPE = (300, 1024)
LOSS, AUROC, COSINE = 1e-4, 0.002, 0.999
HEAD = ("outer folds", "limit", "worst case", "")


@dataclass(frozen=True)
class Fitted:
    """How far one outer fold is from the oracle.

    Parameters
    ----------
    same : bool
        Whether the chosen penalties are equal.
    loss : float
        The oracle's inner loss of our penalty less that of its own, in nats per row.
    auroc : float
        Difference in the test part, each with its own penalty.
    at_equal, cosine, raw_cosine : np.ndarray
        By penalty, fitted to the outer training part: difference in AUROC; cosine of the directions on standardised
        features, and on the features as they are.
    """

    same: bool
    loss: float
    auroc: float
    at_equal: Float[np.ndarray, " penalty"]
    cosine: Float[np.ndarray, " penalty"]
    raw_cosine: Float[np.ndarray, " penalty"]


def compare(seed: int, tolerance: float = logistic.TIGHT) -> list[Fitted]:
    """Compare one data set's five outer folds."""
    data = draw(*SHAPE, seed)
    folds = nested_folds(data.groups, seed)
    exact = Data(data.features.astype(np.float64), data.labels, data.groups)
    with threadpool_limits(limits=1):
        found, expected = ours(data, folds, tolerance=tolerance)[0], loop(exact, folds, n_jobs=1, **ORACLE)
        scaled = logistic.scale_parts(data.features, np.stack([fold.train for fold in folds], axis=1))
        problems = [(part, 0, C) for part in range(len(folds)) for C in PENALTIES]
        fits = logistic.fit(scaled, data.labels[:, None], problems, 2, tolerance)
        results = []
        for number, (fold, mine, theirs) in enumerate(zip(folds, found, expected, strict=True)):
            losses, truth = theirs.losses, data.labels[fold.test]
            columns = range(number * len(PENALTIES), (number + 1) * len(PENALTIES))
            oracle = [pipeline(C, **ORACLE).fit(exact.features[fold.train], data.labels[fold.train]) for C in PENALTIES]
            differences, cosines, raw = [], [], []
            for column, fitted in zip(columns, oracle, strict=True):
                scores = fits.values[fold.test, column, 0]
                decision = fitted.decision_function(exact.features[fold.test])
                differences.append(abs(roc_auc_score(truth, scores) - roc_auc_score(truth, decision)))
                own, other = fits.coefficients[:, column, 0].astype(np.float64), fitted[-1].coef_[0]
                cosines.append(_cosine(own, other))
                raw.append(_cosine(own / scaled.scale[:, number], other / fitted[0].scale_))
            apart = abs(roc_auc_score(truth, mine.scores) - roc_auc_score(truth, theirs.scores))
            lost = float(losses[PENALTIES.index(mine.penalty)] - losses.min())
            results.append(
                Fitted(
                    mine.penalty == theirs.penalty,
                    lost,
                    apart,
                    *(np.array(each) for each in (differences, cosines, raw)),
                )
            )
    return results


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def rows(results: Sequence[Fitted]) -> tuple[list[list[str]], bool]:
    """Return the table's rows, and whether all limits hold."""
    n, n_same = len(results), sum(each.same for each in results)
    loss, auroc = max(each.loss for each in results), max(each.auroc for each in results)
    at_equal = np.max([each.at_equal for each in results], axis=0)
    cosine = np.min([each.cosine for each in results], axis=0)
    raw = np.min([each.raw_cosine for each in results], axis=0)
    verdicts = [loss <= LOSS, auroc <= AUROC, bool(min(*cosine, *raw) >= COSINE)]
    words = ["holds" if each else "does not hold" for each in verdicts]
    found = [
        [f"{n}, of which the penalty is equal in {n_same}", f"inner loss lost {LOSS:.0e}", f"{loss:.1e}", words[0]],
        [f"{n}", f"difference in AUROC {AUROC}", f"{auroc:.4f}", words[1]],
        [f"{n} at each of {len(PENALTIES)} penalties", "none", f"{at_equal.max():.4f} in AUROC", "for information"],
    ]
    for penalty, one, other in zip(PENALTIES, cosine, raw, strict=True):
        held = "holds" if min(one, other) >= COSINE else "does not hold"
        found.append([f"{n} at C = {penalty:g}", f"cosine {COSINE}", f"{one:.6f}, of raw features {other:.6f}", held])
    return found, all(verdicts)


def measure(n_sets: int, n_jobs: int) -> list[Fitted]:
    """Compare all data sets, some at a time."""
    found = joblib.Parallel(n_jobs=n_jobs)(joblib.delayed(compare)(seed) for seed in range(n_sets))
    return [each for one in found for each in one]
