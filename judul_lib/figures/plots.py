"""Figures of notebooks 01 to 06 and 13."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import ArrayLike
from plotly.subplots import make_subplots

from judul_lib.core.array_types import FloatArray
from judul_lib.core.formatting import format_label, format_number, format_setting
from judul_lib.core.settings import DIFFERENT, SEED, SIMILAR
from judul_lib.figures.style import ACCENT, GRID, PRIMARY, SERIES_STYLES, SHADES, rounded, style
from judul_lib.figures.style import use_in_notebook as use_in_notebook
from judul_lib.figures.tables import Display

_CLASSES = {1: (SIMILAR, SERIES_STYLES[0]), 0: (DIFFERENT, SERIES_STYLES[1])}
_MAX_TITLES, _MAX_POINTS = 150, 600


def length_histogram(lengths: Mapping[str, Sequence[int]]) -> go.Figure:
    """Distribution of title lengths in words, one series per key."""
    figure = go.Figure()
    top = max(max(values) for values in lengths.values())
    for (name, values), look in zip(lengths.items(), SERIES_STYLES, strict=False):
        counts = np.bincount(np.asarray(values, dtype=int), minlength=top + 1)
        figure.add_bar(
            x=list(range(top + 1)), y=counts.tolist(), name=escape(name), marker=look.bar
        )  # fmt: skip
    style(figure, "Panjang judul", barmode="group", bargap=0.1)
    return figure.update_xaxes(title="jumlah kata").update_yaxes(title="jumlah judul")


def term_bars(counts: pd.Series, title: str, axis: str) -> go.Figure:
    """Horizontal bars of the largest entries of a series, largest on top."""
    shown = counts.iloc[::-1]
    figure = go.Figure(
        go.Bar(
            x=rounded(shown), y=[escape(format_label(name)) for name in shown.index], orientation="h",
            marker_color=PRIMARY,
        )
    )  # fmt: skip
    style(figure, title, height=160 + 24 * len(shown))
    return figure.update_xaxes(title=axis).update_yaxes(ticksuffix=" ", dtick=1)


def similarity_heatmap(similarity: FloatArray) -> go.Figure:
    """Cosine of all pairs of titles, ordered by clustering.

    Of a large corpus, only the titles with the closest neighbours are shown.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage

    nearest = (similarity - 2 * np.eye(len(similarity))).max(axis=1)
    kept = np.sort(np.argsort(-nearest, kind="stable")[:_MAX_TITLES])
    shown = similarity[np.ix_(kept, kept)]
    distance = np.round(1 - shown[np.triu_indices(len(shown), 1)], 9)
    order = leaves_list(linkage(distance, "average"))
    names = [f"baris {row + 1}" for row in kept[order]]
    figure = go.Figure(
        go.Heatmap(
            z=rounded(shown[np.ix_(order, order)], 2), x=names, y=names, colorscale=SHADES,
            zmin=0, zmax=1, colorbar={"title": "kosinus"},
            hovertemplate="%{x} dan %{y}: %{z}<extra></extra>",
        )
    )  # fmt: skip
    style(figure, f"Kemiripan kosinus antara {len(kept)} judul", height=620)
    figure.update_yaxes(autorange="reversed", showticklabels=False, ticks="", title="judul (diurutkan)")
    return figure.update_xaxes(
        showticklabels=False, ticks="", title="judul (diurutkan menurut kemiripan)"
    )


def cosine_with_thresholds(cosines: FloatArray, similar_min: float, different_max: float) -> go.Figure:
    """Distribution of the cosine of all pairs on a log scale, with both thresholds."""
    edges = np.round(np.arange(0, 1.0001, 0.05), 2)
    counts, _ = np.histogram(np.clip(cosines, 0, 1), edges)
    centers = (edges[:-1] + edges[1:]) / 2
    figure = go.Figure(
        go.Bar(x=rounded(centers, 3), y=counts.tolist(), width=0.046, marker_color=PRIMARY)
    )
    figure.add_vrect(x0=different_max, x1=similar_min, fillcolor=GRID, opacity=0.5, line_width=0)
    for x, text, side in (
        (different_max, "tidak mirip ≤ ", "right"),
        (similar_min, "mirip ≥ ", "left"),
    ):
        shown = f"{text}{format_number(x, 2)}"
        figure.add_vline(x=x, line_dash="dash", line_color=ACCENT)
        figure.add_annotation(
            x=x, y=1.0, yref="paper", text=shown, showarrow=False, xanchor=side, yanchor="bottom"
        )
    style(figure, "Kosinus semua pasangan dan ambang pelabelan", showlegend=False)
    figure.update_yaxes(type="log", title="jumlah pasangan (skala log)", dtick=1)
    return figure.update_xaxes(title="kosinus", range=[0, 1])


def features_by_class(samples: pd.DataFrame, features: Sequence[str]) -> go.Figure:
    """Distribution of each feature within each class, in percent of the class."""
    figure = make_subplots(
        1, len(features), subplot_titles=[format_label(name) for name in features], shared_yaxes=True
    )
    edges = np.round(np.arange(0, 1.0001, 0.05), 2)
    for column, feature in enumerate(features, start=1):
        for value, (name, look) in _CLASSES.items():
            values = samples.loc[samples["label"] == value, feature]
            counts, _ = np.histogram(values, edges)
            figure.add_bar(
                x=rounded((edges[:-1] + edges[1:]) / 2, 3),
                y=rounded(100 * counts / max(len(values), 1), 2),
                name=name, legendgroup=name, showlegend=column == 1, width=0.05,
                marker=look.bar, opacity=0.75,
                row=1, col=column,
            )  # fmt: skip
    style(figure, "Sebaran fitur menurut kelas", barmode="overlay")
    figure.update_layout(legend={"y": -0.25, "yanchor": "top"}, margin={"b": 90})
    figure.update_xaxes(range=[0, 1], title="nilai fitur")
    return figure.update_yaxes(title="persen dari kelasnya", col=1)


def feature_scatter_matrix(samples: pd.DataFrame, features: Sequence[str]) -> go.Figure:
    """Scatter plots of each pair of features, with up to 600 pairs of titles, similar ones first."""
    different = samples[samples["label"] == 0]
    n_different = min(len(different), max(_MAX_POINTS - int(samples["label"].sum()), 100))
    different = different.sample(n_different, random_state=SEED)
    parts = {0: different, 1: samples[samples["label"] == 1].head(_MAX_POINTS)}
    side = len(features) - 1
    figure = make_subplots(side, side, shared_xaxes=True, shared_yaxes=True)
    for row in range(side):
        for column in range(row + 1):
            x, y = features[column], features[row + 1]
            for value, part in parts.items():
                name, look = _CLASSES[value]
                figure.add_scatter(
                    x=rounded(part[x], 3), y=rounded(part[y], 3), mode="markers",
                    name=name, legendgroup=name, showlegend=row == 0 and column == 0,
                    marker=look.marker(6, opacity=0.7),
                    row=row + 1, col=column + 1,
                )  # fmt: skip
            title = format_label(x) if row == side - 1 else None
            figure.update_xaxes(title_text=title, row=row + 1, col=column + 1)
        figure.update_yaxes(title_text=format_label(features[row + 1]), row=row + 1, col=1)
    style(figure, "Fitur berpasangan", height=240 * side + 120)
    return figure.update_xaxes(range=[-0.03, 1.03]).update_yaxes(range=[-0.03, 1.03])


def correlation_heatmap(correlation: pd.DataFrame) -> go.Figure:
    """Correlation of the features (and the label) as an annotated heatmap."""
    return annotated_heatmap(correlation, "Korelasi (Pearson)", low=-1, decimals=2)


def annotated_heatmap(
    frame: pd.DataFrame, title: str, *, low: float, high: float = 1, decimals: int = 3
) -> go.Figure:
    """Heatmap of a table with the values in its cells."""
    names = [escape(format_label(name)) for name in frame.index]
    shades = SHADES if low >= 0 else [[0.0, ACCENT], [0.5, "#ffffff"], [1.0, PRIMARY]]
    figure = go.Figure(
        go.Heatmap(
            z=[rounded(row, decimals) for row in frame.to_numpy()],
            x=[escape(format_label(name)) for name in frame.columns], y=names,
            colorscale=shades, zmin=low, zmax=high, showscale=False,
            texttemplate=f"%{{z:.{decimals}f}}", xgap=2, ygap=2,
            hovertemplate="%{y}, %{x}: %{z}<extra></extra>",
        )
    )  # fmt: skip
    style(figure, title, height=170 + 42 * len(names))
    figure.update_xaxes(type="category")
    return figure.update_yaxes(autorange="reversed", type="category", ticksuffix=" ")


def grid_search(search: pd.DataFrame) -> go.Figure | Display:
    """Score of each setting over the folds of the cross-validation.

    Parameters
    ----------
    search : DataFrame
        As of `judul_lib.training.forest.TrainingResult`.

    Returns
    -------
    Figure or Display
        A dot at the mean with a line from the lowest to the highest fold; one series a number of
        trees. Where all settings tie, only the sentence that says so.

    Examples
    --------
    >>> settings = {"n_estimators": [50, 100], "max_depth": 10}
    >>> grid_search(pd.DataFrame(settings | {"score": 0.97, "low": 0.9, "high": 1.0}))
    Seri: 2 dari 2 setelan mendapat F1 berbobot 0,9700 (lipatan terendah 0,9000, tertinggi 1,0000).
    """
    scores = search[["score", "low", "high"]].round(4).drop_duplicates()
    if len(scores) == 1:
        n, (mean, low, high) = len(search), scores.iloc[0].map(lambda score: format_number(score, 4))
        sentence = (
            f"Seri: {n} dari {n} setelan mendapat F1 berbobot {mean} "
            f"(lipatan terendah {low}, tertinggi {high})."
        )
        return Display(f"<p>{sentence}</p>", sentence)
    others = [c for c in search.columns if c not in ("n_estimators", *scores)]
    rows = [" / ".join(map(format_setting, values)) for values in search[others].itertuples(index=False)]
    frame = search.rename(columns={"score": "estimate"}).set_index(pd.Index(rows))
    names = " / ".join(format_label(name).split(" (")[0] for name in others)
    reading = f"<sub>baris: {names}<br>garis: lipatan terendah sampai tertinggi</sub>"
    series = {f"{trees} pohon": part for trees, part in frame.groupby("n_estimators")}
    figure = metric_intervals(series, f"F1 berbobot setiap setelan<br>{reading}", row_height=45)
    # Below the axis, where it has room for a row a series on a phone.
    figure.update_layout(
        legend={"y": 0, "yref": "container"}, margin={"b": 130}, height=figure.layout.height + 70
    )
    return figure.update_xaxes(title="F1 berbobot")


def roc_and_precision_recall(curves: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> go.Figure:
    """ROC and precision-recall curves of several (labels, scores), if these have both classes."""
    from sklearn.metrics import precision_recall_curve, roc_curve

    figure = make_subplots(1, 2, subplot_titles=["ROC", "Presisi-recall"])
    for row, (name, (labels, scores)) in enumerate(curves.items()):
        line = SERIES_STYLES[row % len(SERIES_STYLES)].line
        if len(np.unique(labels)) < 2:
            figure.add_scatter(x=[None], y=[None], line=line, name=f"{escape(name)} (satu kelas saja)")
            continue
        false_positive, true_positive, _ = roc_curve(labels, scores)
        precision, recall, _ = precision_recall_curve(labels, scores)
        for column, (x, y) in enumerate(
            ((false_positive, true_positive), (recall[::-1], precision[::-1])), start=1
        ):
            points = np.unique(np.linspace(0, len(x) - 1, 200).astype(int))
            figure.add_scatter(
                x=rounded(x[points], 3), y=rounded(y[points], 3), mode="lines", line=line,
                name=escape(name), legendgroup=name, showlegend=column == 1, row=1, col=column,
            )  # fmt: skip
    style(figure, "Kurva ROC dan presisi-recall", height=460)
    figure.update_layout(legend={"y": -0.28, "yanchor": "top"}, margin={"b": 130})
    figure.update_xaxes(range=[-0.02, 1.02]).update_yaxes(range=[-0.02, 1.02])
    figure.update_xaxes(title="positif palsu", col=1).update_yaxes(title="positif benar", col=1)
    return figure.update_xaxes(title="recall", col=2).update_yaxes(title="presisi", col=2)


def confusion_matrices(matrices: Mapping[str, pd.DataFrame]) -> go.Figure:
    """Confusion matrices side by side, with labels as rows and predictions as columns."""
    figure = make_subplots(
        1, len(matrices), subplot_titles=[escape(n) for n in matrices], shared_yaxes=True,
        horizontal_spacing=0.06,
    )  # fmt: skip
    for column, matrix in enumerate(matrices.values(), start=1):
        shares = matrix.to_numpy() / np.maximum(matrix.to_numpy().sum(axis=1, keepdims=True), 1)
        figure.add_heatmap(
            z=[rounded(row, 3) for row in shares],
            x=[name.replace(" ", "<br>") for name in matrix.columns],
            y=[name.replace(" ", "<br>") for name in matrix.index],
            text=[[format_number(int(n)) for n in row] for row in matrix.to_numpy()],
            texttemplate="%{text}", colorscale=SHADES, zmin=0, zmax=1, showscale=False,
            xgap=2, ygap=2, row=1, col=column,
            hovertemplate="label %{y}, prediksi %{x}: %{text} pasangan<extra></extra>",
        )  # fmt: skip
    style(figure, "Matriks konfusi (confusion matrix)<br><sub>jumlah pasangan</sub>", height=360)
    figure.update_annotations(font_size=13)
    figure.update_xaxes(title="prediksi", tickangle=0).update_yaxes(autorange="reversed")
    return figure.update_yaxes(title="label", col=1)


def metric_intervals(
    tables: Mapping[str, pd.DataFrame], title: str = "Metrik dengan selang 95 %", *, row_height: int = 75
) -> go.Figure:
    """Estimates with their bootstrap intervals, one series per key."""
    figure = go.Figure()
    metrics = [escape(format_label(name)) for name in next(iter(tables.values())).index]
    for k, (name, table) in enumerate(tables.items()):
        shift = 0.6 * (k - (len(tables) - 1) / 2) / len(tables)
        figure.add_scatter(
            x=rounded(table["estimate"]), y=rounded(np.arange(len(table)) + shift),
            mode="markers", name=escape(format_label(name)),
            marker=SERIES_STYLES[k % len(SERIES_STYLES)].marker(),
            error_x={
                "type": "data", "symmetric": False,
                "array": rounded(table["high"] - table["estimate"]),
                "arrayminus": rounded(table["estimate"] - table["low"]),
            },
        )  # fmt: skip
    style(figure, title, height=160 + row_height * len(metrics))
    figure.update_yaxes(tickvals=list(range(len(metrics))), ticktext=metrics, ticksuffix=" ")
    return figure.update_xaxes(title="nilai").update_yaxes(autorange="reversed")


def importance_bars(importances: Mapping[str, Mapping[str, float]]) -> go.Figure:
    """Feature importances of one or more models."""
    figure = go.Figure()
    for (name, values), look in zip(importances.items(), SERIES_STYLES, strict=False):
        figure.add_bar(
            x=[escape(format_label(feature)) for feature in values], y=rounded(list(values.values()), 3),
            name=escape(name), marker=look.bar,
        )  # fmt: skip
    style(figure, "Pentingnya fitur", barmode="group")
    return figure.update_xaxes(title="fitur").update_yaxes(title="bagian penurunan impuritas")


def grouped_bars(counts: pd.DataFrame, title: str, axis: str) -> go.Figure:
    """Bars of each column of a frame, side by side for each row."""
    figure = go.Figure()
    names = [escape(str(name)) for name in counts.index]
    for column, look in zip(counts, SERIES_STYLES, strict=False):
        figure.add_bar(
            x=names, y=rounded(counts[column]), name=escape(str(column)), marker=look.bar,
            text=list(map(format_number, counts[column])), textposition="outside", cliponaxis=False,
        )  # fmt: skip
    style(figure, title, barmode="group")
    return figure.update_yaxes(title=axis)


def agreement_scatter(first: ArrayLike, second: ArrayLike, names: tuple[str, str]) -> go.Figure:
    """Probabilities of two models for the same pairs, up to 600 of them."""
    points = np.column_stack([np.asarray(first, dtype=float), np.asarray(second, dtype=float)])
    if len(points) > _MAX_POINTS:
        points = points[np.random.default_rng(SEED).choice(len(points), _MAX_POINTS, replace=False)]
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"color": ACCENT, "dash": "dash"}, name="sama besar"
    )
    figure.add_scatter(
        x=rounded(points[:, 0], 3), y=rounded(points[:, 1], 3), mode="markers", name="pasangan",
        marker={"color": PRIMARY, "opacity": 0.5, "size": 7},
    )  # fmt: skip
    style(figure, "Kesepakatan kedua model", height=460)
    figure.update_xaxes(title=f"peluang mirip, {escape(names[0])}", range=[-0.03, 1.03])
    return figure.update_yaxes(title=f"peluang mirip, {escape(names[1])}", range=[-0.03, 1.03])
