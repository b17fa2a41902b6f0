"""HTML of check results, for the page and the notebooks.

Titles are escaped here and isolated with ``<bdi>``, so that neither markup nor
writing direction of a title affects its surroundings.
"""

import re
from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd

from judul_lib.checking import batches as columns
from judul_lib.checking.comparison import RankingComparison
from judul_lib.checking.matches import Matches
from judul_lib.core.formatting import distinguishing_decimals, format_number
from judul_lib.core.settings import ASK, DECISION_THRESHOLD, DIFFERENT, MODEL_TITLES, SIMILAR
from judul_lib.core.texts import page_text
from judul_lib.figures.tables import Display
from judul_lib.study.features import FEATURES
from judul_lib.study.preprocessing import preprocess_text

_VERDICTS = {
    SIMILAR: ("verdict_similar", "advice_similar", "judul-mirip", "▲"),
    DIFFERENT: ("verdict_different", "advice_different", "judul-beda", "✓"),
    ASK: ("verdict_ask", "advice_ask", "judul-tanya", "?"),
    columns.NOT_COMPARED: ("skipped", "nothing_left", "judul-kosong", "–"),
}
_WORD = re.compile(r"[^\W\d_]+|[\W\d_]+")


def part_title(name: str) -> str:
    """Return the displayed name of a part of `judul_lib.checking.matches.Evidence`."""
    return page_text(name)


def verdict_title(label: str) -> str:
    """Return the displayed name of an ``rf_label``.

    Examples
    --------
    >>> verdict_title("TIDAK MIRIP")
    'TIDAK MIRIP'
    """
    return page_text(_VERDICTS[label][0])


def _pieces(title: str, stems: set[str]) -> list[tuple[str, bool]]:
    pieces = _WORD.findall(title)
    return [(piece, piece[0].isalpha() and preprocess_text(piece) in stems) for piece in pieces]


def verdict(matches: Matches) -> Display:
    """Show the verdict, the closest title and advice."""
    if not len(matches):
        return Display(
            f"<p class='judul-petunjuk'>{escape(page_text('no_titles'))}</p>", page_text("no_titles")
        )
    decision = matches.decision
    name, advice, style, sign = _VERDICTS[decision.labels[0]]
    chance = _chance(decision)
    title, remark = decision.titles[0], "".join(decision.remarks)
    html = (
        f"<div class='judul-vonis {style}'><p class='judul-vonis-kata'>"
        f"<span aria-hidden='true'>{sign}</span> <strong>{escape(page_text(name))}</strong> "
        f"<span class='judul-vonis-peluang'>{escape(chance)}</span></p>"
        f"<p>{escape(page_text('closest'))}: <q>{_text(title)}</q></p>"
        + (f"<p class='judul-vonis-sebab'>{_text(remark)}</p>" if remark else "")
        + f"<p>{escape(page_text(advice))}</p></div>"
    )
    lines = [f"{page_text(name)} ({chance})", f"{page_text('closest')}: {title}", remark]
    return Display(html, "\n".join(filter(None, [*lines, page_text(advice)])))


def _chance(decision: Matches) -> str:
    """Describe the probability of the deciding match; at threshold 0 all titles are similar."""
    p, threshold = float(decision.probability[0]), decision.threshold
    if threshold == 0:
        return page_text("all_similar")
    return page_text("probability", p=format_number(p, distinguishing_decimals(p, threshold)))


def match_table(query: str, matches: Matches, *, interactive: bool = False) -> Display:
    """Show the matches as a table, with the words shared with the query marked.

    Parameters
    ----------
    query : str
        The checked title.
    matches : Matches
    interactive : bool
        With sortable columns and selectable titles, for `SortableTable`.
    """
    names = [("rank", True), ("ref", False), ("p_column", True), ("label", False)]
    head = _head([*names, *((name, True) for name in FEATURES)], interactive)
    remarks = matches.remarks or [""] * len(matches)
    stems = set(preprocess_text(query).split())
    lines = []
    for row, (title, features, p, label) in enumerate(
        zip(matches.titles, matches.features, matches.probability, matches.labels, strict=True)
    ):
        marked = _highlight_shared(title, stems)
        if interactive:
            hint = escape(page_text("choose"))
            marked = f"<button type='button' class='judul-pilih' title='{hint}'>{marked}</button>"
        remark = f"<small>{_text(remarks[row])}</small>" if remarks[row] else ""
        cells = "".join(_value_cell(float(value)) for value in features)
        lines.append(
            f"<tr data-row='{row}'><td class='angka' data-value='{row}'>{row + 1}</td>"
            f"<td class='judul-teks'>{marked}{remark}</td>"
            f"{_bar_cell(float(p), matches.threshold)}<td>{_chip(label)}</td>{cells}</tr>"
        )
    html = f"<table class='judul-tabel judul-hasil'>{head}<tbody>{''.join(lines)}</tbody></table>"
    return Display(html, pd.DataFrame(matches.rows()).round(3).to_string(index=False))


def title_pair(left: str, right: str) -> Display:
    """Show two titles one above the other, with shared words marked.

    Examples
    --------
    >>> title_pair("Deteksi <b>", "Deteksi Hoaks").html.count("<mark>Deteksi</mark>")
    2
    """
    items = "".join(
        f"<dt>{escape(page_text(name))}</dt>"
        f"<dd>{_highlight_shared(title, set(preprocess_text(other).split()))}</dd>"
        for name, title, other in (("title_a", left, right), ("title_b", right, left))
    )
    return Display(f"<dl class='judul-pasangan'>{items}</dl>", f"{left}\n{right}")


def progress(text: str, done: int, total: int) -> str:
    """Return a labelled progress bar as HTML.

    Examples
    --------
    >>> progress("1 dari 2", 1, 2)
    "<label>1 dari 2 <progress value='1' max='2'></progress></label>"
    """
    return f"<label>{escape(text)} <progress value='{done}' max='{total}'></progress></label>"


def comparison(results: Mapping[str, Matches], *, seconds: Mapping[str, float] | None = None) -> Display:
    """Show the answers of several models side by side.

    Parameters
    ----------
    results : mapping of str to Matches
        Displayed name of the model to its matches, at least one, of the same query.
    seconds : mapping of str to float
        Time of each model; left out by default.
    """
    names = [("model", False), ("label", False), ("p_column", True), ("closest", False)]
    head = _head([*names, *([("seconds", True)] if seconds else [])], interactive=False)
    lines, plain = [], []
    deciding = {model: matches.decision for model, matches in results.items()}
    for model, match in deciding.items():
        p, label, title = float(match.probability[0]), match.labels[0], match.titles[0]
        time = format_number(1000 * seconds[model], 0) if seconds else ""
        cell = f"<td class='angka'>{escape(page_text('ms', n=time))}</td>" if seconds else ""
        lines.append(
            f"<tr><th scope='row'>{escape(model)}</th><td>{_chip(label)}</td>"
            f"{_bar_cell(p, match.threshold)}"
            f"<td class='judul-teks'>{_text(title)}</td>{cell}</tr>"
        )
        plain.append(f"{model}: {label} {format_number(p)} {title}")
    sentences = _agreement(list(deciding.values()))
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    table = f"<table class='judul-tabel'>{head}<tbody>{''.join(lines)}</tbody></table>"
    html = f"<div class='judul-gulir'>{table}</div><ul>{items}</ul>"
    return Display(html, "\n".join([*plain, *sentences]))


def _agreement(deciding: Sequence[Matches]) -> list[str]:
    chances = [float(match.probability[0]) for match in deciding]
    labels = {match.labels[0] for match in deciding}
    closest = {match.titles[0] for match in deciding}
    verdict = verdict_title(labels.pop()) if len(labels) == 1 else None
    return [
        page_text("agree", verdict=verdict) if verdict else page_text("disagree"),
        page_text("difference", d=format_number(max(chances) - min(chances), 2)),
        page_text("same_title" if len(closest) == 1 else "other_titles"),
    ]


def ranking_comparison(compared: RankingComparison, *, threshold: float = DECISION_THRESHOLD) -> Display:
    """Show the top titles of several models in one table, and how far the models agree.

    Parameters
    ----------
    compared : RankingComparison
    threshold : float
        Threshold of the check; numbers close to it get more decimals.
    """
    n = int(compared.ranks.max(initial=0))
    models = [MODEL_TITLES[name] for name in compared.models]
    means = "; ".join(
        f"{name} {format_number(float(mean), 2)}"
        for name, mean in zip(models, compared.mean_of_ranked, strict=True)
    )
    key = "shared_same" if compared.has_same_first else "shared_other"
    sentences = [page_text(key, n=n, shared=compared.n_shared), page_text("mean_top", n=n, means=means)]
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    html = (
        f"<ul>{items}</ul><div class='judul-gulir judul-utuh' role='region' tabindex='0' "
        f"aria-label='{escape(page_text('ranking_table'))}'>{_ranking_table(compared, threshold)}</div>"
        f"<p class='judul-petunjuk'>{escape(page_text('ranking_note', n=n))}</p>"
    )
    plain = pd.DataFrame(index=compared.titles)
    for name, chances, ranks in zip(models, compared.probability.T, compared.ranks.T, strict=True):
        pairs = zip(chances.tolist(), ranks, strict=True)
        plain[name] = [f"{format_number(p)} ({_rank(rank)})" for p, rank in pairs]
    plain[page_text("mean")] = [format_number(p) for p in compared.mean_probability.tolist()]
    return Display(html, "\n".join([plain.to_string(), *sentences]))


def _ranking_table(compared: RankingComparison, threshold: float) -> str:
    names = [*(MODEL_TITLES[name] for name in compared.models), page_text("mean")]
    head = "".join(f"<th scope='col' class='angka'>{escape(name)}</th>" for name in names)
    lines = [f"<tr><th scope='col'>{escape(page_text('ref'))}</th>{head}</tr></thead><tbody>"]
    columns_by_title = compared.probability, compared.ranks, compared.mean_probability
    for title, chances, ranks, mean in zip(compared.titles, *columns_by_title, strict=True):
        pairs = zip(chances.tolist(), ranks, strict=True)
        cells = "".join(_bar_cell(p, threshold, _rank(rank)) for p, rank in pairs)
        name = f"<th scope='row' class='judul-teks'>{_text(title)}</th>"
        lines.append(f"<tr>{name}{cells}{_bar_cell(float(mean), threshold)}</tr>")
    return f"<table class='judul-tabel judul-hasil'><thead>{''.join(lines)}</tbody></table>"


def _rank(rank: int) -> str:
    return page_text("rank_n", n=int(rank)) if rank else "–"


def proposal_table(
    titles: pd.Series,
    result: pd.DataFrame,
    *,
    interactive: bool = False,
    threshold: float = DECISION_THRESHOLD,
) -> Display:
    """Show proposals with the closest title of the corpus and the closest other proposal.

    Parameters
    ----------
    titles : Series of str, shape (n,)
        The proposals; their index holds the rows of the file.
    result : DataFrame, shape (n, 7)
        As from `judul_lib.checking.batches.check_proposals`.
    threshold : float
        Threshold of the check.
    """
    names = [("row", True), ("proposal", False), ("label", False), ("p_column", True)]
    names += [("in_corpus", False), ("p_column", True), ("in_proposals", False)]
    lines = []
    for row, title, found in zip(titles.index, titles, result.to_dict("records"), strict=True):
        other = found[columns.OTHER_CLOSEST]
        other_cell = ""
        if isinstance(other, str):
            place = page_text("row_n", n=int(found[columns.OTHER_ROW]))
            other_cell = f"{_chip(found[columns.OTHER_VERDICT])} {escape(place)}: {_text(other)}"
        closest = found[columns.CLOSEST] if isinstance(found[columns.CLOSEST], str) else ""
        lines.append(
            f"<tr data-row='{row}'><td class='angka' data-value='{row}'>{row}</td>"
            f"<td class='judul-teks'>{_text(title)}</td><td>{_chip(found[columns.VERDICT])}</td>"
            f"{_bar_cell(found[columns.PROBABILITY], threshold)}"
            f"<td class='judul-teks'>{_text(closest)}</td>"
            f"{_bar_cell(found[columns.OTHER_PROBABILITY], threshold)}"
            f"<td class='judul-teks'>{other_cell}</td></tr>"
        )
    head = _head(names, interactive)
    html = f"<table class='judul-tabel judul-hasil'>{head}<tbody>{''.join(lines)}</tbody></table>"
    plain = pd.concat([titles.reset_index(drop=True), result.reset_index(drop=True)], axis=1)
    return Display(html, plain.round(3).to_string(index=False))


def _head(names: list[tuple[str, bool]], interactive: bool) -> str:
    cells = ""
    for name, is_number in names:
        text = escape(page_text(name))
        inner = f"<button type='button'>{text}</button>" if interactive else text
        cells += f"<th scope='col'{' class=angka' if is_number else ''}>{inner}</th>"
    return f"<thead><tr>{cells}</tr></thead>"


def _text(title: str) -> str:
    return f"<bdi>{escape(title)}</bdi>"


def _highlight_shared(title: str, stems: set[str]) -> str:
    pieces = (
        f"<mark>{escape(piece)}</mark>" if is_shared else escape(piece)
        for piece, is_shared in _pieces(title, stems)
    )
    return f"<bdi>{''.join(pieces)}</bdi>"


def _value_cell(value: float) -> str:
    return f"<td class='angka' data-value='{value:.6f}'>{format_number(value, 2)}</td>"


def _bar_cell(value: object, threshold: float, note: str = "") -> str:
    if not isinstance(value, float) or value != value:
        return "<td class='angka' data-value='-1'>–</td>"
    shown = format_number(value, distinguishing_decimals(value, threshold))
    return (
        f"<td class='angka judul-peluang' data-value='{value:.9f}'>{shown}"
        f"<span class='judul-batang'><span style='width:{100 * value:.1f}%'></span></span>"
        f"{note and f'<small>{escape(note)}</small>'}</td>"
    )


def _chip(label: str) -> str:
    _, _, style, sign = _VERDICTS[label]
    return (
        f"<span class='judul-label {style}'><span aria-hidden='true'>{sign}</span> "
        f"{escape(verdict_title(label))}</span>"
    )
