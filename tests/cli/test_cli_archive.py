"""The text of ``judul archive gauge --labels``; tests/evaluation runs the whole command."""

import re

import numpy as np
import pytest

from judul_lib.cli.archive import _format_judged
from judul_lib.evaluation.gauge import JudgedSample, Suggestion


@pytest.mark.parametrize(
    ("highest_grade", "advice"),
    [
        (4, r"Agar lebih pasti, pakai ambang 0,\d+ \(--threshold\), atau nilai sampel"),
        (1, "memastikannya. Nilai sampel"),
    ],
)
def test_an_uncertain_threshold_comes_with_advice(highest_grade, advice):
    probability = np.linspace(0.01, 0.99, 120)
    grade = np.where(probability > 0.4, float(highest_grade), 0.0)
    zeros = np.zeros(120, dtype=int)
    judged = JudgedSample(probability, np.zeros(120), grade, zeros, np.ones(120))
    text = _format_judged(judged, Suggestion(threshold=0.5, sure=0.6), 0.5)
    assert "120 nilai belum cukup untuk memastikannya." in text
    assert re.search(advice, text)
    assert text.endswith("misalnya --sample 360.")
