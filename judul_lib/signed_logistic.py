"""Logistic regression whose weights have prescribed signs."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from threadpoolctl import threadpool_limits

FloatArray = NDArray[np.float64]

PENALTY = 1.0
"""Strength of the L2 penalty, chosen by cross-validation over the development bases."""

_NEWTON_STEPS = 20


def fit_logistic(
    features: FloatArray,
    labels: NDArray[np.int_],
    directions: Sequence[int],
    penalty: float = PENALTY,
) -> tuple[FloatArray, FloatArray, float]:
    """Fit a logistic regression whose weights have prescribed signs.

    Parameters
    ----------
    features : ndarray, shape (n, n_features)
    labels : ndarray of {0, 1}, shape (n,)
    directions : sequence of {-1, 0, 1}, shape (n_features,)
        Sign of each weight; 0 leaves it free.
    penalty : float
        Of half the squared weights of the standardised features.

    Returns
    -------
    centre, coefficients : ndarray, shape (n_features,)
    intercept : float
        Log-odds are ``intercept + (features - centre) @ coefficients``.

    References
    ----------
    Byrd, R. H., Lu, P., Nocedal, J., & Zhu, C. (1995). *A limited memory
    algorithm for bound constrained optimization* (L-BFGS-B, in SciPy).

    Examples
    --------
    >>> features, labels = np.array([[0.0], [0.2], [0.7], [1.0]]), np.array([0, 0, 1, 1])
    >>> _, against, _ = fit_logistic(features, labels, directions=[-1], penalty=1.0)
    >>> _, towards, _ = fit_logistic(features, labels, directions=[1], penalty=1.0)
    >>> float(against[0]), bool(towards[0] > 1)
    (0.0, True)
    """
    centre, scale = features.mean(axis=0), features.std(axis=0)
    standard = np.where(scale > 0, (features - centre) / np.where(scale > 0, scale, 1), 0)
    signs = 2 * labels - 1

    def loss(parameters: FloatArray) -> tuple[float, FloatArray]:
        weights, intercept = parameters[:-1], parameters[-1]
        margins = signs * (standard @ weights + intercept)
        value = np.logaddexp(0, -margins).sum() + penalty / 2 * weights @ weights
        pull = -signs * expit(-margins)
        return float(value), np.append(standard.T @ pull + penalty * weights, pull.sum())

    bounds = [{1: (0, None), 0: (None, None), -1: (None, 0)}[sign] for sign in (*directions, 0)]
    options = {"maxiter": 5000, "maxfun": 10000, "ftol": 1e-14, "gtol": 1e-9}
    start = np.zeros(len(bounds))
    # NumPy and SciPy bring a thread pool each; on small arrays they wait for one another.
    with threadpool_limits(1, user_api="blas"):
        found = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B", options=options).x
        found = _polished(found, standard, labels, penalty, np.array([*directions, 0], dtype=np.int_))
    coefficients = np.divide(found[:-1], scale, out=np.zeros_like(scale), where=scale > 0)
    return np.round(centre, 9), np.round(coefficients, 5), round(float(found[-1]), 5)


def _polished(
    parameters: FloatArray,
    standard: FloatArray,
    labels: NDArray[np.int_],
    penalty: float,
    signs: NDArray[np.int_],
) -> FloatArray:
    """Finish with Newton's method, so that the answer does not depend on the way that led to it."""
    features = np.column_stack([standard, np.ones(len(standard))])
    ridge = np.append(np.full(standard.shape[1], penalty), 0.0)

    def slope(at: FloatArray) -> FloatArray:
        gradient: FloatArray = features.T @ (expit(features @ at) - labels) + ridge * at
        return np.where(at != 0, gradient, 0)  # Weights at their bound stay there.

    for _ in range(_NEWTON_STEPS):
        free = parameters != 0
        odds = expit(features @ parameters)
        part = features[:, free]
        curvature = (part.T * (odds * (1 - odds))) @ part + np.diag(ridge[free])
        following = parameters.copy()
        following[free] -= np.linalg.lstsq(curvature, slope(parameters)[free], rcond=None)[0]
        following[signs * following < 0] = 0
        if np.abs(slope(following)).max() >= np.abs(slope(parameters)).max():
            break
        parameters = following
    return parameters
