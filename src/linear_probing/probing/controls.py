"""Controls that need no fit of their own: labels drawn anew per type, and features that hold no model.

Labelings and features only; probes.py fits them by the same protocol as the states.
"""

import numpy as np
import pandas as pd
from jaxtyping import Shaped
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer

N_HASHED = 1024
"""Columns per channel of the text baseline. Hashing needs no fit, so no test row reaches a training part."""


def control_labels(
    labels: Shaped[np.ndarray, "target *output"], types: pd.Series, random: np.random.Generator
) -> Shaped[np.ndarray, "target *output"]:
    """Draw one label per type at random, with the marginals of the task (Hewitt & Liang 2019).

    Where the labels are constant within each type, the types' labels are permuted between types. Where they vary (a
    city stands in true and in false statements), each type draws the label of a random target.

    Parameters
    ----------
    labels : np.ndarray
        Shape (n_targets,) or (n_targets, n_outputs).
    types : pd.Series
        Length n_targets.
    random : np.random.Generator
        Advanced by the draw.

    Returns
    -------
    np.ndarray
        As `labels`; equal for targets of one type.
    """
    _, first, inverse = np.unique(types.to_numpy(str), return_index=True, return_inverse=True)
    constant = bool((labels == labels[first][inverse]).all())
    drawn = labels[first] if constant else labels[random.integers(len(labels), size=len(first))]
    return random.permutation(drawn)[inverse]


def text_features(texts: pd.Series, starts: pd.Series, ends: pd.Series) -> sparse.csr_matrix:
    """Return what a reader without a model has: words and character 3-grams, hashed.

    Two channels: the text up to the end of the span, which is what the model has read, and the span itself.

    Parameters
    ----------
    texts, starts, ends : pd.Series
        Of each target its text, and where its span starts and ends.

    Returns
    -------
    scipy.sparse.csr_matrix
        Shape (n_targets, 4 * N_HASHED), float32, each channel's rows of length 1.
    """
    rows = list(zip(texts, starts.astype(int), ends.astype(int), strict=True))
    channels = ([text[:end] for text, _, end in rows], [text[start:end] for text, start, end in rows])
    words = HashingVectorizer(n_features=N_HASHED, token_pattern=r"(?u)\b\w+\b", alternate_sign=False, dtype=np.float32)
    trigrams = HashingVectorizer(
        n_features=N_HASHED, analyzer="char_wb", ngram_range=(3, 3), alternate_sign=False, dtype=np.float32
    )
    blocks = [vectorizer.transform(channel) for channel in channels for vectorizer in (words, trigrams)]
    return sparse.hstack(blocks, format="csr", dtype=np.float32)


def column_features(targets: pd.DataFrame, column: str) -> Shaped[np.ndarray, "target 1"]:
    """Return one numeric column of the target table as the only feature, shape (n_targets, 1)."""
    return pd.to_numeric(targets[column]).to_numpy(np.float32)[:, None]
