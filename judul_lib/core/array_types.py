"""Array types that most modules use."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Rows = NDArray[np.integer]
"""Positions in a list of titles or pairs."""
