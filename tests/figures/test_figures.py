"""Figures in grey prints, their descriptions for screen readers, and the plotly configuration."""

from itertools import combinations

import nbformat
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from judul_lib.checking.comparison import RankingComparison
from judul_lib.checking.matches import Matches
from judul_lib.figures import benchmark_plots, labeling_plots, leaderboard_plots, monitoring_plots, style
from judul_lib.figures import plots as p
from judul_lib.figures.match_plots import match_bars, ranking_bars
from judul_lib.figures.style import FALL, PRIMARY, RISE, SERIES_STYLES, figure_config, figure_label
from tests.conftest import PROJECT

MIMETYPE = "application/vnd.plotly.v1+json"
SCORES = {name: ([0, 1, 0, 1], [0.1, 0.9, 0.4, k / 5]) for k, name in enumerate("abcd")}
INTERVALS = pd.DataFrame({"estimate": [0.5], "low": [0.4], "high": [0.6]}, index=["roc_auc"])
ABLATION = pd.DataFrame({"roc_auc": [0.9, 0.8], "roc_auc_hard": [0.8, 0.7]}, index=[20, 40])
DAILY = pd.DataFrame([[0.1] * 4, [0.2] * 4], pd.date_range("2026-05-01", periods=2), list("abcd"))
SAMPLES = pd.DataFrame({"cosine": [0.1, 0.9], "jaccard": [0.2, 0.8], "label": [0, 1]})
STRATEGIES = pd.DataFrame(
    [
        {"uji": "u", "strategi": s, "label": n, "benih": k, "roc_auc": 0.9 + k / 100}
        for s in ("beragam", "acak", "ragu") for n in (20, 40) for k in range(3)
    ]
)  # fmt: skip
ALARMS = pd.DataFrame(
    [(t, s, 0.2, 0.1, 0.3) for t in (0.4, 0.6) for s in ("MIRIP", "TANYAKAN")],
    columns=["ambang", "simpulan", "estimate", "low", "high"],
)
SEARCH = pd.DataFrame(
    [(trees, depth, 0.9, 0.8, 1.0 - trees / 1000) for depth in (None, 10) for trees in (50, 100)],
    columns=["n_estimators", "max_depth", "score", "low", "high"],
).astype({"max_depth": object})
COMPARED = RankingComparison(
    ["light", "full", "structured"], [f"Judul {k}" for k in range(12)],
    np.arange(36).reshape(12, 3), np.linspace(0, 1, 36).reshape(12, 3),
)  # fmt: skip
FIGURES = {
    "rankings": lambda: ranking_bars(COMPARED, threshold=0.5),
    "lengths": lambda: p.length_histogram({"sebelum": [1, 2], "sesudah": [1, 1]}),
    "features": lambda: p.features_by_class(SAMPLES, ["cosine", "jaccard"]),
    "pairs": lambda: p.feature_scatter_matrix(SAMPLES, ["cosine", "jaccard"]),
    "curves": lambda: p.roc_and_precision_recall(SCORES),
    "metrics": lambda: p.metric_intervals(dict.fromkeys("abcd", INTERVALS)),
    "search": lambda: p.grid_search(SEARCH),
    "importances": lambda: p.importance_bars({key: {"cosine": 0.5, "jaccard": 0.5} for key in "abcd"}),
    "reliability": lambda: leaderboard_plots.reliability(SCORES),
    "ablation": lambda: leaderboard_plots.ablation_bars(ABLATION, "t"),
    "learning": lambda: leaderboard_plots.learning_curves(
        {"studi dasar": ABLATION, "pasangan": ABLATION}
    ),
    "days": lambda: monitoring_plots.drift_lines(DAILY, {"a": 0.1}),
    "checks": lambda: benchmark_plots.check_times(dict.fromkeys("abcd", pd.Series({10: 1.0, 30: 2.0}))),
    "chosen": lambda: labeling_plots.chosen_bars({key: [0.1, 0.9] for key in "abc"}),
    "alarms": lambda: labeling_plots.alarm_curves(ALARMS),
    "strategies": lambda: labeling_plots.strategy_curves(STRATEGIES),
}


def without_hue(trace):
    """Return the features of a trace that remain when all colours are grey."""
    marker, line = trace.get("marker") or {}, trace.get("line") or {}
    if trace["type"] == "bar":
        return (marker.get("pattern") or {}).get("shape") or ""
    mode = trace["mode"]
    dash = (line.get("dash") or "solid") if "lines" in mode else ""
    return dash, (marker.get("symbol") or "circle") if "markers" in mode else ""


def assert_distinguishable(figure):
    styles = {}
    for trace in figure["data"]:
        if trace["type"] in {"bar", "scatter"} and trace.get("name"):
            styles.setdefault(trace["name"], set()).add((trace["type"], without_hue(trace)))
    for (first, first_styles), (second, second_styles) in combinations(styles.items(), 2):
        assert first_styles.isdisjoint(second_styles), (first, second)


@pytest.mark.parametrize("name", FIGURES)
def test_series_are_distinguishable_without_hue(name):
    assert_distinguishable(FIGURES[name]().to_dict())


@pytest.mark.parametrize(
    "path", sorted((PROJECT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem
)
def test_stored_figures_are_distinguishable_without_hue(path):
    outputs = [o for cell in nbformat.read(path, as_version=4).cells for o in cell.get("outputs", [])]
    figures = [output.data[MIMETYPE] for output in outputs if MIMETYPE in output.get("data", {})]
    assert figures
    for figure in figures:
        assert_distinguishable(figure)


def test_bars_that_differ_only_in_colour_are_detected():
    bars = [go.Bar(x=[1], y=[1], name=name, marker={"color": name}) for name in ("red", "blue")]
    with pytest.raises(AssertionError, match="red"):
        assert_distinguishable(go.Figure(bars).to_dict())


def luminance(color):
    rgb = np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(first, second):
    lower, higher = sorted(luminance(color) + 0.05 for color in (first, second))
    return higher / lower


def test_series_have_contrast_to_white():
    assert min(contrast(look.color, "#ffffff") for look in SERIES_STYLES) >= 3  # WCAG 1.4.11.


def test_waterfall_tones_have_contrast():
    assert min(contrast(a, b) for a, b in combinations((PRIMARY, RISE, FALL), 2)) >= 1.9


def test_plotly_buttons_are_indonesian_and_do_not_upload():
    config = figure_config()
    assert config["showSendToCloud"] is False
    assert config["plotlyServerURL"] == ""
    words = config["locales"]["id"]["dictionary"]
    assert {"Download plot as a PNG", "Zoom", "Pan", "Zoom in", "Zoom out", "Autoscale"} <= set(words)


def test_figure_label_names_title_axes_and_series():
    figure = FIGURES["metrics"]().to_dict()
    assert figure_label(figure) == "Metrik dengan selang 95 %. Sumbu mendatar: nilai. Isi: a, b, c, d."
    curves = figure_label(FIGURES["curves"]().to_dict())
    assert "Sumbu mendatar: positif palsu, recall. Sumbu tegak: positif benar, presisi." in curves
    untitled_axes = {"data": [], "layout": {"title": "<b>A</b> &lt;b&gt;<br>c"}}
    assert figure_label(untitled_axes) == "A <b>: c."


def test_settings_are_shown_with_their_lowest_and_highest_fold():
    figure = p.grid_search(SEARCH)
    assert [dots.name for dots in figure.data] == ["50 pohon", "100 pohon"]
    assert figure.layout.yaxis.ticktext == ("tanpa batas", "10")
    first = figure.data[0]
    assert first.x == (0.9, 0.9)
    assert (first.error_x.array, first.error_x.arrayminus) == ((0.05, 0.05), (0.1, 0.1))
    assert figure_label(figure.to_dict()).startswith("F1 berbobot setiap setelan: baris: kedalaman")


def test_settings_that_all_tie_become_a_sentence_with_their_scores():
    sentence = str(p.grid_search(SEARCH.assign(high=1.0)))
    assert sentence.startswith("Seri: 4 dari 4 setelan")
    assert all(number in sentence for number in ("0,9000", "0,8000", "1,0000"))


def test_confusion_matrix_is_named_in_both_languages_and_shows_counts():
    names = ["TIDAK MIRIP", "MIRIP"]
    figure = p.confusion_matrices({"<b>": pd.DataFrame([[1200, 3], [2, 8]], names, names)})
    label = figure_label(figure.to_dict())
    assert label.startswith("Matriks konfusi (confusion matrix): jumlah pasangan.")
    assert "Sumbu mendatar: prediksi. Sumbu tegak: label." in label
    assert [list(row) for row in figure.data[0].text] == [["1.200", "3"], ["2", "8"]]
    assert [*figure.data[0].z[1]] == [0.2, 0.8]
    assert figure.layout.annotations[0].text == "&lt;b&gt;"


def test_match_bars_shorten_titles_and_use_decimal_commas():
    matches = Matches(["x" * 90], np.zeros((1, 3)), np.array([0.625]), 0.5)
    figure = match_bars(matches).to_dict()
    assert list(figure["data"][0]["text"]) == ["0,62"]
    assert len(figure["layout"]["yaxis"]["ticktext"][0]) < 26


def test_check_times_are_in_milliseconds_by_size():
    figure = benchmark_plots.check_times({"indeks <b>": pd.Series({1260: 0.004, 1_000_000: 0.05})})
    (line,) = figure.data
    assert (line.name, line.x, line.y) == ("indeks &lt;b&gt;", (1260, 1_000_000), (4, 50))
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "log"
    assert figure.layout.xaxis.ticktext == ("1.260", "1.000.000")


def test_peer_bars_show_times_and_escape_names():
    figure = benchmark_plots.peer_bars(pd.Series({"indeks": 0.05, "<b>": 9052.27}), 1_000_000)
    assert figure.layout.title.text == "Satu pemeriksaan di antara 1.000.000 judul"
    assert list(figure.data[0].y) == ["indeks", "&lt;b&gt;"]
    assert list(figure.data[0].text) == ["50,0", "9.052.270,0"]


def test_axes_use_indonesian_number_format():
    axis = FIGURES["lengths"]().layout.template.layout.xaxis
    assert axis.separatethousands is True
    assert axis.exponentformat == "none"  # Not 10k.
    assert style.style(go.Figure(), "t").layout.separators == ",."


def test_bars_of_several_models_are_grouped_by_title_with_the_first_on_top():
    figure = ranking_bars(COMPARED, threshold=0.4, max_titles=5)
    assert [bars.name for bars in figure.data] == ["Model Ringan", "Model Penuh", "Model Terstruktur"]
    assert all(len(bars.x) == 5 for bars in figure.data)
    assert figure.data[1].x[2] == pytest.approx(COMPARED.probability[2, 1], abs=5e-4)
    assert figure.layout.barmode == "group"
    assert figure.layout.yaxis.ticktext[0] == "1. Judul 0"
    first, last = figure.layout.yaxis.range
    assert first > last
    assert figure.layout.shapes[0].x0 == 0.4
    assert figure.layout.title.text == "Peluang 5 judul per model"
    assert figure.layout.xaxis.title.text == "peluang mirip"
