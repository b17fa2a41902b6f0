"""What the page and the notebooks show of a check: each part is HTML made from a result.

A title is text: whatever stands in it is escaped here and isolated, so that
neither markup nor writing direction of one title reaches beyond it.
"""

import re
from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd

from judul_lib.checking import batches as columns
from judul_lib.checking.matches import Matches
from judul_lib.core.formatting import decimals_to_tell
from judul_lib.core.settings import ASK, DECISION_THRESHOLD, DIFFERENT, SIMILAR
from judul_lib.core.texts import Texts, read_texts
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


def part_title(name: str, *, texts: Texts | None = None) -> str:
    """Return the name of a part of `judul_lib.checking.matches.Evidence` as readers see it."""
    return (texts or read_texts())(name)


def verdict_title(label: str, *, texts: Texts) -> str:
    """Return an ``rf_label`` in the language of the page.

    Examples
    --------
    >>> verdict_title("TIDAK MIRIP", texts=read_texts("en"))
    'NOT SIMILAR'
    """
    return texts(_VERDICTS[label][0])


def _pieces(title: str, stems: set[str]) -> list[tuple[str, bool]]:
    pieces = _WORD.findall(title)
    return [(piece, piece[0].isalpha() and preprocess_text(piece) in stems) for piece in pieces]


def verdict(matches: Matches, *, texts: Texts | None = None) -> Display:
    """Show the verdict, the closest title and what to do."""
    texts = texts or read_texts()
    if not len(matches):
        return Display(f"<p class='judul-petunjuk'>{escape(texts('no_titles'))}</p>", texts("no_titles"))
    decision = matches.decision
    name, advice, style, sign = _VERDICTS[decision.labels[0]]
    chance = _chance(decision, texts)
    title, remark = decision.titles[0], "".join(decision.remarks)
    html = (
        f"<div class='judul-vonis {style}'><p class='judul-vonis-kata'>"
        f"<span aria-hidden='true'>{sign}</span> <strong>{escape(texts(name))}</strong> "
        f"<span class='judul-vonis-peluang'>{escape(chance)}</span></p>"
        f"<p>{escape(texts('closest'))}: <q>{_text(title)}</q></p>"
        + (f"<p class='judul-vonis-sebab'>{_text(remark)}</p>" if remark else "")
        + f"<p>{escape(texts(advice))}</p></div>"
    )
    lines = [f"{texts(name)} ({chance})", f"{texts('closest')}: {title}", remark]
    return Display(html, "\n".join(filter(None, [*lines, texts(advice)])))


def _chance(decision: Matches, texts: Texts) -> str:
    """Say how probable the match that decides is, unless the threshold asks for nothing."""
    p, threshold = float(decision.probability[0]), decision.threshold
    if threshold == 0:
        return texts("all_similar")
    return texts("probability", p=texts.number(p, decimals_to_tell(p, threshold)))


def match_table(
    query: str, matches: Matches, *, texts: Texts | None = None, interactive: bool = False
) -> Display:
    """Show the matches as a table, the words that the query has too marked.

    Parameters
    ----------
    query : str
        The title as typed.
    matches : Matches
    interactive : bool
        With headers that sort and titles that can be chosen (`SortableTable`).
    """
    texts = texts or read_texts()
    names = [("rank", True), ("ref", False), ("p_column", True), ("label", False)]
    head = _head([*names, *((name, True) for name in FEATURES)], texts, interactive)
    remarks = matches.remarks or [""] * len(matches)
    stems = set(preprocess_text(query).split())
    lines = []
    for row, (title, features, p, label) in enumerate(
        zip(matches.titles, matches.features, matches.probability, matches.labels, strict=True)
    ):
        marked = _marked(title, stems)
        if interactive:
            hint = escape(texts("choose"))
            marked = f"<button type='button' class='judul-pilih' title='{hint}'>{marked}</button>"
        remark = f"<small>{_text(remarks[row])}</small>" if remarks[row] else ""
        cells = "".join(_value_cell(float(value), texts) for value in features)
        lines.append(
            f"<tr data-row='{row}'><td class='angka' data-value='{row}'>{row + 1}</td>"
            f"<td class='judul-teks'>{marked}{remark}</td>"
            f"{_bar_cell(float(p), texts, matches.threshold)}<td>{_chip(label, texts)}</td>{cells}</tr>"
        )
    html = f"<table class='judul-tabel judul-hasil'>{head}<tbody>{''.join(lines)}</tbody></table>"
    return Display(html, pd.DataFrame(matches.rows()).round(3).to_string(index=False))


def title_pair(left: str, right: str, *, texts: Texts | None = None) -> Display:
    """Show two titles one above the other, the words that both have marked.

    Examples
    --------
    >>> title_pair("Deteksi <b>", "Deteksi Hoaks").html.count("<mark>Deteksi</mark>")
    2
    """
    texts = texts or read_texts()
    items = "".join(
        f"<dt>{escape(texts(name))}</dt><dd>{_marked(title, set(preprocess_text(other).split()))}</dd>"
        for name, title, other in (("title_a", left, right), ("title_b", right, left))
    )
    return Display(f"<dl class='judul-pasangan'>{items}</dl>", f"{left}\n{right}")


def progress(text: str, done: int, total: int) -> str:
    """Return a progress bar with its words as HTML.

    Examples
    --------
    >>> progress("1 dari 2", 1, 2)
    "<label>1 dari 2 <progress value='1' max='2'></progress></label>"
    """
    return f"<label>{escape(text)} <progress value='{done}' max='{total}'></progress></label>"


def comparison(
    results: Mapping[str, Matches],
    *,
    seconds: Mapping[str, float] | None = None,
    texts: Texts | None = None,
) -> Display:
    """Show side by side what several models answer.

    Parameters
    ----------
    results : mapping of str to Matches
        Title of the model to its matches of one query, at least one each.
    seconds : mapping of str to float
        How long each took; left out by default.
    """
    texts = texts or read_texts()
    names = [("model", False), ("label", False), ("p_column", True), ("closest", False)]
    head = _head([*names, *([("seconds", True)] if seconds else [])], texts, interactive=False)
    lines, plain = [], []
    deciding = {model: matches.decision for model, matches in results.items()}
    for model, match in deciding.items():
        p, label, title = float(match.probability[0]), match.labels[0], match.titles[0]
        time = texts.number(1000 * seconds[model], 0) if seconds else ""
        cell = f"<td class='angka'>{escape(texts('ms', n=time))}</td>" if seconds else ""
        lines.append(
            f"<tr><th scope='row'>{escape(model)}</th><td>{_chip(label, texts)}</td>"
            f"{_bar_cell(p, texts, match.threshold)}"
            f"<td class='judul-teks'>{_text(title)}</td>{cell}</tr>"
        )
        plain.append(f"{model}: {label} {texts.number(p)} {title}")
    told = _agreement(list(deciding.values()), texts)
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in told)
    table = f"<table class='judul-tabel'>{head}<tbody>{''.join(lines)}</tbody></table>"
    return Display(f"<div class='judul-gulir'>{table}</div><ul>{items}</ul>", "\n".join([*plain, *told]))


def _agreement(deciding: Sequence[Matches], texts: Texts) -> list[str]:
    chances = [float(match.probability[0]) for match in deciding]
    labels = {match.labels[0] for match in deciding}
    closest = {match.titles[0] for match in deciding}
    one = labels.pop() if len(labels) == 1 else None
    return [
        texts("agree", verdict=verdict_title(one, texts=texts)) if one else texts("disagree"),
        texts("difference", d=texts.number(max(chances) - min(chances), 2)),
        texts("same_title" if len(closest) == 1 else "other_titles"),
    ]


def proposal_table(
    titles: pd.Series,
    result: pd.DataFrame,
    *,
    texts: Texts | None = None,
    interactive: bool = False,
    threshold: float = DECISION_THRESHOLD,
) -> Display:
    """Show proposals with the closest title of the corpus and the closest other proposal.

    Parameters
    ----------
    titles : Series of str, shape (n,)
        The proposals; their index is the row of each as its file counts.
    result : DataFrame, shape (n, 7)
        As from `judul_lib.checking.batches.check_proposals`.
    threshold : float
        By which they were judged.
    """
    texts = texts or read_texts()
    named = [("row", True), ("proposal", False), ("label", False), ("p_column", True)]
    named += [("in_corpus", False), ("p_column", True), ("in_proposals", False)]
    lines = []
    for row, title, found in zip(titles.index, titles, result.to_dict("records"), strict=True):
        other = found[columns.OTHER_CLOSEST]
        also = ""
        if isinstance(other, str):
            place = texts("row_n", n=int(found[columns.OTHER_ROW]))
            also = f"{_chip(found[columns.OTHER_VERDICT], texts)} {escape(place)}: {_text(other)}"
        closest = found[columns.CLOSEST] if isinstance(found[columns.CLOSEST], str) else ""
        lines.append(
            f"<tr data-row='{row}'><td class='angka' data-value='{row}'>{row}</td>"
            f"<td class='judul-teks'>{_text(title)}</td><td>{_chip(found[columns.VERDICT], texts)}</td>"
            f"{_bar_cell(found[columns.PROBABILITY], texts, threshold)}"
            f"<td class='judul-teks'>{_text(closest)}</td>"
            f"{_bar_cell(found[columns.OTHER_PROBABILITY], texts, threshold)}"
            f"<td class='judul-teks'>{also}</td></tr>"
        )
    head = _head(named, texts, interactive)
    html = f"<table class='judul-tabel judul-hasil'>{head}<tbody>{''.join(lines)}</tbody></table>"
    plain = pd.concat([titles.reset_index(drop=True), result.reset_index(drop=True)], axis=1)
    return Display(html, plain.round(3).to_string(index=False))


def _head(names: list[tuple[str, bool]], texts: Texts, interactive: bool) -> str:
    cells = ""
    for name, is_number in names:
        text = escape(texts(name))
        inner = f"<button type='button'>{text}</button>" if interactive else text
        cells += f"<th scope='col'{' class=angka' if is_number else ''}>{inner}</th>"
    return f"<thead><tr>{cells}</tr></thead>"


def _text(title: str) -> str:
    return f"<bdi>{escape(title)}</bdi>"


def _marked(title: str, stems: set[str]) -> str:
    pieces = (
        f"<mark>{escape(piece)}</mark>" if is_shared else escape(piece)
        for piece, is_shared in _pieces(title, stems)
    )
    return f"<bdi>{''.join(pieces)}</bdi>"


def _value_cell(value: float, texts: Texts) -> str:
    return f"<td class='angka' data-value='{value:.6f}'>{texts.number(value, 2)}</td>"


def _bar_cell(value: object, texts: Texts, threshold: float) -> str:
    if not isinstance(value, float) or value != value:
        return "<td class='angka' data-value='-1'>–</td>"
    shown = texts.number(value, decimals_to_tell(value, threshold))
    return (
        f"<td class='angka judul-peluang' data-value='{value:.9f}'>{shown}"
        f"<span class='judul-batang'><span style='width:{100 * value:.1f}%'></span></span></td>"
    )


def _chip(label: str, texts: Texts) -> str:
    _, _, style, sign = _VERDICTS[label]
    return (
        f"<span class='judul-label {style}'><span aria-hidden='true'>{sign}</span> "
        f"{escape(verdict_title(label, texts=texts))}</span>"
    )
