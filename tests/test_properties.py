"""Whatever text or table comes in: nothing breaks, no row is lost, and what comes out keeps its bounds.

The examples are drawn the same way in every run. Left out are functions that take tables of numbers
that the package itself has made (metrics, ablations, figures of training).
"""

import contextlib
import csv
import io
import json
import math
import os
import re
import tempfile
from datetime import date
from functools import cache
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from judul_lib.checking.batches import NOT_COMPARED, OTHER_ROW, VERDICT, check_proposals, score_pairs
from judul_lib.checking.checker import compute_similarities
from judul_lib.checking.loading import load_checker
from judul_lib.checking.matches import Matches
from judul_lib.checking.registry import load_model
from judul_lib.cli import answers
from judul_lib.cli.shared import print_stderr
from judul_lib.core.array_files import StringColumn
from judul_lib.core.config import Config, load_config
from judul_lib.core.errors import ConfigError, JudulError, LabelError, LogError
from judul_lib.core.pseudonyms import assigned_model, keyed_hash, user_id
from judul_lib.core.storage import csv_text, csv_with_escaped_formulas, escape_formula, frame_text
from judul_lib.core.tables import find_column, unique_names
from judul_lib.evaluation.baselines import fit_baselines
from judul_lib.evaluation.fairness import foreign_share, language_class, length_class
from judul_lib.figures import match_plots, result_html, tables
from judul_lib.governance.backup import require_safe_name
from judul_lib.labeling.active_learning import select_pairs
from judul_lib.labeling.agreement import compare_answers
from judul_lib.labeling.labels import (
    LABEL_COLUMNS,
    PairVotes,
    feedback_votes,
    majority_vote,
    read_label_file,
)
from judul_lib.labeling.session import (
    ANSWER_COLUMNS,
    ANSWERS,
    LabelingSession,
    answer_file,
    labeller_id,
    read_answers,
)
from judul_lib.search.dedup import find_duplicates
from judul_lib.search.index import TitleIndex
from judul_lib.structured.explanation import compare_fields, explain
from judul_lib.structured.gold import (
    COLUMNS,
    GRADE_BY_KIND,
    crossed_pairs,
    read_gold,
    read_second_grades,
)
from judul_lib.structured.lexicon import FIELDS
from judul_lib.structured.parser import TitleParser
from judul_lib.structured.records import RecordTable
from judul_lib.structured.relations import mark_abbreviations
from judul_lib.structured.words import corrected_stem, is_dictionary_word, standard_words, tokenize
from judul_lib.study.corpus import load_corpus, parse_corpus, save_corpus, table_frame, write_frame
from judul_lib.study.features import (
    FEATURES,
    TitleTable,
    distinct_titles,
    extract_pair_features,
    pair_features,
)
from judul_lib.study.preprocessing import (
    MAX_CELL_LENGTH,
    is_root_word,
    pair_key,
    preprocess_cells,
    preprocess_text,
    preprocess_titles,
    preprocessing_steps,
    stem_word,
    title_fault,
    title_key,
)
from judul_lib.study.synthetic import cut_titles
from judul_lib.usage.database import (
    events,
    feedback,
    open_database,
    opened_database,
    predictions,
    read_table,
    sqlite_url,
)
from judul_lib.usage.log import AnsweredQuery, Feedback, UsageLog
from judul_lib.web.session import title_problem
from judul_lib.web.title_panel import file_name
from tests import nasty_files
from tests.conftest import PROJECT

# Many of the texts drawn hold no word that can be compared.
pytestmark = pytest.mark.filterwarnings("ignore:.*tanpa kata Latin")
LIGHT = PROJECT / "outputs" / "light"
PIECES = [
    "Deteksi ", "Hoaks", " padi", "Prediksi Harga ", "yang", " dan ", "CNN", " di Sleman", "2024",
    " ", "\r", "\n", "\t", '"', "'", ",", ";", "|", "=1+1", "@x", "-", "#REF!", "\ufeff", "`",
    "\u202e", "\u200b", "é", "e\u0301", "🎓", "<b>", "&amp;", "$x$", "{0}", "%s",
    "\x1b[2J", "\x9b", "\x7f", "İ", "ß", "ﬁ", "ＡＢ", "論",
]  # fmt: skip
MIXED = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
TEXT = st.one_of(MIXED, st.text(max_size=30))
TEXTS = st.lists(TEXT, max_size=6)
# With zeros and half letters.
ANY = st.lists(st.sampled_from([*PIECES, "\0", "\ud800", "\udcff"]), max_size=8).map("".join)
CELL = TEXT.map(lambda text: text.replace("\0", ""))  # A file with zeros is no text.
PAIR = st.tuples(TEXT, TEXT)


def drawn(n: int):
    """Draw n examples, the same ones every time."""
    return settings(derandomize=True, database=None, deadline=None, max_examples=n)


@cache
def checker_of(name: str):
    return load_checker(PROJECT / "outputs" / name)


both = pytest.mark.parametrize("name", ["light", "structured"])


def folder() -> Path:
    return Path(tempfile.mkdtemp(dir=os.environ["PYTEST_DEBUG_TEMPROOT"]))


@pytest.fixture(autouse=True, scope="module")
def _temporary(tmp_path_factory):
    """Give the examples folders of their own; a fixture would be shared by all."""
    with mock.patch.dict(os.environ, PYTEST_DEBUG_TEMPROOT=str(tmp_path_factory.mktemp("examples"))):
        yield


def refusal(read) -> str:
    """Return the sentence with which something is refused; nothing where it is not."""
    try:
        read()
    except JudulError as error:
        return str(error)
    return ""


# Tables.


def written(rows, separator, line_end, encoding) -> bytes:
    """Write a table as some program would."""
    mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding, b"")
    made = nasty_files.csv_text(
        [["Judul", "Nama"], *rows], separator=separator, line_end=line_end, quoting=csv.QUOTE_ALL
    )
    return mark + made.encode(encoding)


FORMS = st.tuples(
    st.sampled_from(",;\t"),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be"]),
)


@drawn(80)
@given(st.lists(st.lists(CELL, min_size=1, max_size=3), max_size=8), FORMS)
def test_every_row_of_a_corpus_is_kept_or_rejected(rows, form):
    corpus = parse_corpus(written(rows, *form), "x.csv", min_titles=0)
    rejected = dict(zip(corpus.rejected["baris"], corpus.rejected["Judul"], strict=True))
    found = rejected | dict(zip(corpus.rows, corpus.titles["Judul"], strict=True))
    assert [found[row] for row in sorted(found)] == [row[0].strip() for row in rows]
    assert corpus.n_rows == len(rows) == len(corpus.titles) + len(corpus.rejected)
    assert sorted(found) == list(range(2, len(rows) + 2))
    keys = corpus.titles["Judul"].map(title_key)
    assert not keys.duplicated().any()
    assert all(preprocess_cells(corpus.titles["Judul"].tolist()))
    assert corpus.titles["judul_proc"].tolist() == preprocess_titles(corpus.titles["Judul"])


@drawn(60)
@given(st.lists(st.lists(CELL, min_size=2, max_size=2), max_size=8), FORMS)
def test_every_row_of_a_table_comes_back_as_it_was(rows, form):
    notes = []
    frame = table_frame(written(rows, *form), "x.csv", warn=notes.append)
    there = {n: row for n, row in enumerate(rows, start=2) if any(row)}
    assert dict(zip(frame.index, frame.to_numpy().tolist(), strict=True)) == there
    n_blank = len(rows) - len(there)
    assert [note for note in notes if "baris kosong" in note] == (
        [f"Catatan: {n_blank} baris kosong di x.csv dilewati."] if n_blank else []
    )


BASES = [one.content() for one in nasty_files.NASTY if len(one.content()) < 9_000]


@st.composite
def damaged(draw) -> bytes:
    """Draw a file in which some bytes are wrong, missing or too many."""
    content = bytearray(draw(st.sampled_from(BASES)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(content)))
        content[at : at + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
    return bytes(content)


@drawn(300)
@given(st.one_of(st.binary(max_size=200), damaged()))
def test_any_bytes_are_read_or_refused_with_a_sentence(content):
    for read in (lambda: parse_corpus(content, "x.csv", min_titles=0, max_rows=500).n_rows,
                 lambda: len(table_frame(content, "x.csv", max_rows=500))):  # fmt: skip
        said = refusal(read)
        assert said.endswith(".") or not said
        assert "\n" not in said


@drawn(60)
@given(st.lists(st.tuples(TEXT, TEXT), max_size=6), CELL)
def test_what_is_written_is_read_again(rows, name):
    names = ["Judul", f"x{name}"]
    frame = pd.DataFrame(rows, columns=names, dtype=object)
    dicts = [dict(zip(names, row, strict=True)) for row in rows]
    for text in (frame_text(frame), csv_text(dicts, names)):
        read = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        assert read == [names, *map(list, rows)]
        again = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False, skip_blank_lines=False)
        assert again.shape == (len(rows), 2)
    path = folder() / "x.csv"
    write_frame(frame, path)
    assert path.read_bytes().decode() == frame_text(frame)


@drawn(30)
@given(st.lists(CELL, max_size=8))
def test_a_saved_corpus_is_the_same(titles):
    corpus = parse_corpus(written([(t, "x") for t in titles], ",", "\n", "utf-8"), "x", min_titles=0)
    place = folder()
    save_corpus(corpus, place)
    again = load_corpus(place)
    assert again.titles.to_numpy().tolist() == corpus.titles.to_numpy().tolist()
    assert again.rejected["Judul"].tolist() == corpus.rejected["Judul"].tolist()
    assert (again.rows, again.n_rows) == (corpus.rows, corpus.n_rows)


@drawn(200)
@given(TEXT)
def test_a_cell_runs_nothing_and_keeps_its_letters(text):
    cell = escape_formula(text)
    plain = r"[+-]?\d[\d.,]*"
    for part in re.split(r"[;\t\r\n]\s*", cell):
        assert not part.startswith(("=", "+", "-", "@")) or re.fullmatch(plain, cell)
    assert escape_formula(cell) == cell
    assert cell.replace("'", "") == text.replace("'", "")
    assert csv_with_escaped_formulas([{"Judul": text}]) == csv_text([{"Judul": cell}], ["Judul"])


@drawn(60)
@given(st.lists(CELL, max_size=8), st.lists(CELL, max_size=3))
def test_names_of_columns_are_told_apart_and_found(names, taken):
    unique = unique_names(names, taken)
    assert len(set(unique)) == len(names)
    assert not set(unique) & set(taken)
    assert all(new == old or new.startswith(f"{old}_") for new, old in zip(unique, names, strict=True))
    own = [place for place, name in enumerate(names) if name.strip().casefold() == "judul"]
    if refusal(lambda: find_column(names, "Judul", "x")):
        assert len(own) != 1
    else:
        assert [find_column(names, "Judul", "x")] == own


ROW = st.tuples(CELL, CELL, st.sampled_from(["mirip", "TIDAK ", "ragu", "0", "1", "x", ""]))


@drawn(60)
@given(st.lists(ROW, max_size=5))
def test_every_label_of_a_file_counts_or_the_file_is_refused(rows):
    path = folder() / "label.csv"
    path.write_bytes(nasty_files.csv_text([LABEL_COLUMNS, *rows], quoting=csv.QUOTE_ALL).encode())
    there = [row for row in rows if any(row)]
    if said := refusal(lambda: read_label_file(path)):
        assert re.search(r"baris \d+", said)
        assert any(not all(preprocess_cells(row[:2])) or row[2] in ("x", "") for row in there)
        return
    read = read_label_file(path)
    assert len(read.rows) + read.n_unsure == len(there)
    labels = majority_vote(read)
    assert labels.n_answers == len(read.rows)
    assert len(labels.pairs) + labels.n_ties == len({pair_key(*row[:2]) for row in read.rows})


@drawn(60)
@given(st.lists(st.tuples(PAIR, st.sampled_from([0, 1])), max_size=8), st.integers(0, 5))
def test_the_majority_decides_and_no_answer_is_lost(given_rows, n_unsure):
    rows = [(*pair, label) for pair, label in given_rows]
    labels = majority_vote(PairVotes(rows, n_unsure) + PairVotes())
    votes = {}
    for left, right, label in rows:
        votes.setdefault(pair_key(left, right), []).append(label)
    assert labels.n_answers == len(rows)
    assert labels.n_ties == sum(2 * sum(given) == len(given) for given in votes.values())
    for left, right, label in labels.pairs.itertuples(index=False):
        given = votes[pair_key(left, right)]
        assert label == (2 * sum(given) > len(given))


FEEDBACK = st.fixed_dictionaries({
    "is_right": st.sampled_from([True, False, None]), "simulated": st.booleans(),
    "label": st.sampled_from(["MIRIP", "TIDAK MIRIP", "TANYAKAN", "?"]),
    "query_text": st.one_of(st.none(), TEXT), "match_text": st.one_of(st.none(), TEXT),
    "query_hash": st.one_of(st.none(), st.just("0" * 16)), "match_hash": st.none(),
    "user": st.sampled_from(["a", "b", None]),
})  # fmt: skip


@drawn(40)
@given(st.lists(FEEDBACK, max_size=8), TEXTS)
def test_every_opinion_counts_once_or_is_counted_as_left_out(rows, known):
    read = feedback_votes(rows, known, b"key")
    asked = [row for row in rows if row["is_right"] is not None and not row["simulated"]]
    assert len(read.rows) + read.n_unsure + read.n_unreadable <= len(asked)
    assert all(all(preprocess_titles(row[:2])) for row in read.rows)


@drawn(30)
@given(st.lists(st.tuples(st.text(min_size=1, max_size=9), TEXT, st.sampled_from(ANSWERS)), max_size=4))
def test_an_answer_is_kept_whatever_the_titles_are(steps):
    place = folder()
    pairs = {pair_key(f"a{left}", f"b{right}"): (f"a{left}", f"b{right}") for left, right, _ in steps}
    pairs = {key: tuple(t.replace("\0", "") for t in pair) for key, pair in pairs.items()}
    session = LabelingSession(place, "p1", list(pairs.values()))
    for (*_, label), _ in zip(steps, list(pairs), strict=False):
        session.answer(label)
    again = read_answers(session.path)
    assert [(a.key, a.label) for a in again] == [(a.key, a.label) for a in session.answers]
    assert LabelingSession(place, "p1", list(pairs.values())).current is None
    agreed = compare_answers(again, session.answers, n_resamples=5)
    assert agreed.n_shared == len(again)
    assert agreed.disagreements.empty


@drawn(60)
@given(st.lists(st.tuples(*[CELL] * len(ANSWER_COLUMNS)), max_size=4), st.booleans())
def test_a_file_of_answers_is_whole_or_refused(rows, is_mended):
    if is_mended:
        rows = [(f"a{a}", f"b{b}", "mirip", "p1", "2026-01-02T03:04:05+00:00") for a, b, *_ in rows]
    path = folder() / "label-p1.csv"
    path.write_bytes(nasty_files.csv_text([ANSWER_COLUMNS, *rows], quoting=csv.QUOTE_ALL).encode())
    if is_mended:
        assert len(read_answers(path)) == len({pair_key(*row[:2]) for row in rows})
    elif any(map(any, rows)):
        with pytest.raises(LabelError, match="rusak dan tidak diubah"):
            read_answers(path)


GOLD = st.tuples(
    st.sampled_from(["g1", "g2", "g3"]), st.sampled_from(["1", "2"]),
    st.sampled_from([*GRADE_BY_KIND, "x"]),
    st.just("-"), CELL, CELL, st.sampled_from(["dev", "test"]),
)  # fmt: skip


@drawn(60)
@given(st.lists(GOLD, max_size=4))
def test_gold_pairs_are_all_there_or_refused_with_their_line(rows):
    rows = [
        (i, b, k, str(GRADE_BY_KIND.get(k, g)), f"{b}{left}", right, s)
        for i, b, k, g, left, right, s in rows
    ]
    place = folder()
    (place / "gold.csv").write_bytes(
        nasty_files.csv_text([COLUMNS, *rows], quoting=csv.QUOTE_ALL).encode()
    )
    (place / "kedua.csv").write_text("id,grade\n" + "".join(f"{row[0]},{row[3]}\n" for row in rows))
    if said := refusal(lambda: read_gold(place / "gold.csv")):
        assert re.search(r"gold\.csv baris [2-5]:", said)
        return
    gold = read_gold(place / "gold.csv")
    assert gold[list(COLUMNS)].astype(str).to_numpy().tolist() == list(map(list, rows))
    assert len(read_second_grades(place / "kedua.csv", gold)) == len(rows)
    assert set(crossed_pairs(gold)["base_id"]) <= set(gold["base_id"])


# One text.


@drawn(200)
@given(TEXT)
def test_a_title_becomes_stems_in_one_way(title):
    stems = preprocess_text(title)
    assert preprocess_titles([title, None, 3]) == [stems, "", ""]
    assert list(preprocessing_steps(title).values())[-1] == stems
    fault = title_fault(title)
    assert preprocess_cells([title]) == ["" if fault else stems]
    assert (fault == "judul kosong") == (not title.strip())
    assert title_fault(title + "x" * MAX_CELL_LENGTH) == (
        "judul lebih dari 20.000 huruf" if title else None
    )
    assert isinstance(stem_word(title), str)
    assert isinstance(is_root_word(title), bool)
    assert title_key(f"  {title}. ") == title_key(title)
    assert pair_key(title, "b") == pair_key("B!", title)


@drawn(200)
@given(TEXT)
def test_a_title_is_no_name_that_leads_elsewhere(text):
    assert re.fullmatch(r"2026-01-02_[a-z0-9-]+\.csv", file_name(text, date(2026, 1, 2)))
    with contextlib.suppress(LabelError):
        known = labeller_id(text)
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", known)
        assert labeller_id(known) == known
        assert answer_file("label", text).parent == Path("label")
    with contextlib.suppress(LogError):
        assert re.fullmatch("[0-9a-f]{16}", user_id(text))
    for name in (text, f"outputs/light/{text}", f"log/{text}"):
        with contextlib.suppress(LogError):
            require_safe_name(name)
            assert not PurePosixPath(name).is_absolute()
            assert ".." not in name.split("/")
            assert not {"\\", "\0", ":"} & set(name)


@drawn(100)
@given(TEXT)
def test_a_title_is_hashed_objected_to_and_measured(text):
    digits = keyed_hash(b"k", text)
    assert re.fullmatch("[0-9a-f]{16}", digits)
    assert keyed_hash(b"k", f" {text.casefold()}\n") == digits
    assert assigned_model(digits, {"light": 0.0, "full": 0.3, "structured": 0.7}) != "light"
    said = title_problem(text)
    assert (
        said is None
        or (said.strip() and not preprocess_text(text))
        or len(preprocess_text(text).split()) < 2
    )
    assert 0 <= foreign_share(text) <= 1
    pairs = pd.DataFrame({"judul_a": [text, ""], "judul_b": ["", text]})
    for group in (length_class(pairs), language_class(pairs)):
        assert group.str.contains("kata|istilah", na=False).all()


@drawn(100)
@given(TEXT)
def test_words_are_put_right_one_by_one(text):
    words = tokenize(text)
    standard = [word.text for word in standard_words(text, parser().lexicon.places)]
    assert all(word.isascii() and word.isalnum() for word in standard)
    assert len(standard) >= len(words)
    assert all(corrected_stem(word) for word in words)
    assert all(is_dictionary_word(word) in (True, False) for word in words)


@cache
def parser() -> TitleParser:
    return TitleParser()


@drawn(60)
@given(TEXTS)
def test_titles_are_read_into_units_one_by_one(titles):
    model = checker_of("structured")._model
    table = model.records(titles)
    assert isinstance(table, RecordTable)
    assert len(table) == len(titles)
    for row, title in enumerate(titles):
        assert table.parse(row) == parser().parse(title)[:32]
        assert all(unit.field in FIELDS for unit in table.parse(row))
        same = np.zeros((len(table.parse(row)), len(table.parse(0))), dtype=bool)
        mark_abbreviations(table.parse(row), table.parse(0), same)
        turned = np.zeros(same.shape[::-1], dtype=bool)
        mark_abbreviations(table.parse(0), table.parse(row), turned)
        assert (same == turned.T).all()
        assert all(parser().is_word(word) in (True, False) for word in tokenize(title))
    vectors = model.vectors.embed(titles)
    lengths = np.linalg.norm(vectors, axis=1)
    assert vectors.shape[0] == len(titles)
    assert ((lengths == 0) | (abs(lengths - 1) < 0.02)).all()
    pieces = cut_titles(titles)
    assert all(isinstance(piece, str) for kind in vars(pieces).values() for piece in kind)


@drawn(60)
@given(st.lists(ANY, max_size=8), ANY)
def test_a_column_of_strings_is_a_list_of_strings(strings, other):
    strings = sorted(strings, key=lambda text: text.encode("utf-8", "surrogatepass"))
    column = StringColumn.from_strings(strings)
    assert list(column) == column[:] == strings
    for string in (*strings, other):
        assert column.rows_of(string).tolist() == [k for k, own in enumerate(strings) if own == string]
        assert column.find(string) == (strings.index(string) if string in strings else -1)
    assert list(StringColumn.from_arrays(column.arrays("x"), "x")) == strings


# Titles and models.


@drawn(60)
@given(st.lists(PAIR, max_size=5))
def test_features_are_bounded_symmetric_and_one_by_one(pairs):
    left, right = ([pair[side] for pair in pairs] for side in (0, 1))
    tfidf = load_model(LIGHT).tfidf
    tables = [TitleTable.build(side, preprocess_titles(side), tfidf) for side in (left, right)]
    features = pair_features(*tables)
    assert features.shape == (len(pairs), len(FEATURES))
    assert ((features >= 0) & (features <= 1)).all()
    np.testing.assert_array_equal(features, pair_features(*tables[::-1]))
    for (a, b), row in zip(pairs, features, strict=True):
        stems = preprocess_titles([a, b])
        vectors = tfidf.transform(stems)
        np.testing.assert_array_equal(extract_pair_features(vectors[0], vectors[1], *stems, a, b), row)
    titles, rows, others = distinct_titles(left, right)
    assert [titles[k] for k in rows] == left
    assert [titles[k] for k in others] == right
    assert len(set(titles)) == len(titles)


@both
@drawn(25)
@given(titles=TEXTS, queries=TEXTS)
def test_a_check_answers_every_title_with_every_title(name, titles, queries):
    checker = checker_of(name).with_titles(titles)
    for query, matches in zip(queries, checker.check_many(queries), strict=True):
        assert sorted(matches.titles) == sorted(titles)
        assert ((matches.probability >= 0) & (matches.probability <= 1)).all()
        # The structured model lists by relatedness what does not count.
        if name != "structured":
            assert (np.diff(matches.probability) <= 0).all()
        assert matches.rows() == checker.check(query).rows()
        assert 0 <= checker.unknown_share(query) <= 1
    decided = [matches.decision for matches in checker.check_many(queries, top_k=1)]
    assert [len(matches) for matches in decided] == [min(1, len(titles))] * len(queries)


@both
@drawn(30)
@given(pair=PAIR)
def test_the_parts_of_an_answer_add_up_to_it(name, pair):
    checker = checker_of(name)
    evidence = checker.evidence(*pair)
    _, probability, labels = checker.score([pair[0]], [pair[1]])
    assert math.isclose(evidence.base + sum(evidence.parts.values()), evidence.total, abs_tol=1e-9)
    assert math.isclose(evidence.probability, probability[0], abs_tol=1e-9)
    assert labels[0] in ("MIRIP", "TIDAK MIRIP", "TANYAKAN")
    assert checker.pair_features([pair[0]], [pair[1]]).shape[0] == 1
    figure = match_plots.evidence_waterfall(evidence, pair[1])
    assert "<b>" not in json.loads(figure.to_json())["layout"]["title"]["text"]


@both
@drawn(25)
@given(pairs=st.lists(PAIR, max_size=5))
def test_pairs_and_proposals_keep_their_rows(name, pairs):
    left, right = ([pair[side] for pair in pairs] for side in (0, 1))
    checker = checker_of(name).with_titles(right)
    scored = score_pairs(left, right, checker)
    readable = [all(preprocess_cells(pair)) for pair in pairs]
    assert [row["rf_label"] is not None for row in scored] == readable
    alone = [score_pairs([a], [b], checker)[0] for a, b in pairs]
    for row, own in zip(scored, alone, strict=True):
        assert row["rf_label"] == own["rf_label"]
    found = check_proposals(left, checker)
    assert len(found) == len(left)
    expected = [not stems or not right for stems in preprocess_cells(left)]
    assert found[VERDICT].eq(NOT_COMPARED).tolist() == expected
    assert all(1 <= row <= len(left) for row in found[OTHER_ROW].dropna())


@both
@drawn(8)
@given(titles=st.lists(TEXT, min_size=1, max_size=6), more=TEXTS, queries=TEXTS)
def test_an_index_answers_as_the_model_does(name, titles, more, queries):
    index = TitleIndex.build(titles, PROJECT / "outputs" / name)
    if more:
        index.add(more)
    assert list(index.titles) == [*titles, *more]
    plain = checker_of(name).with_titles(list(index.titles))
    for query in queries:
        assert index.check(query, top_k=3).rows() == plain.check(query, top_k=3).rows()
    n_gone = index.remove(titles[0])
    left = [title for title in (*titles, *more) if title != titles[0]]
    assert list(index.titles) == left
    assert n_gone == len(titles) + len(more) - len(left)


@drawn(15)
@given(titles=st.lists(TEXT, max_size=7))
def test_near_duplicates_are_those_of_all_pairs(titles):
    found = find_duplicates(titles, LIGHT, threshold=0.5)
    checker = checker_of("light")
    expected = {
        (i, j)
        for i in range(len(titles)) for j in range(i + 1, len(titles))
        if checker.score([titles[i]], [titles[j]])[1][0] >= 0.5
    }  # fmt: skip
    assert set(zip(found.pairs["baris_a"], found.pairs["baris_b"], strict=True)) == expected
    assert all(titles[row] == title for row, title in zip(
        found.groups["baris"], found.groups["Judul"], strict=True
    ))  # fmt: skip
    assert len(found.clusters) == len(titles)


@drawn(20)
@given(st.lists(TEXT, min_size=1, max_size=5), TEXT)
def test_the_studys_own_function_returns_every_row(titles, query):
    model = load_model(LIGHT)
    found = compute_similarities(
        query, model.tfidf, model.scaler, model.forest, pd.DataFrame({"Judul": titles})
    )
    assert sorted(found["judul_ref"]) == sorted(titles)
    assert found["rf_probability"].between(0, 1).all()


@drawn(20)
@given(PAIR)
def test_fields_are_compared_both_ways(pair):
    model = checker_of("structured")._model
    there, back = compare_fields(model, *pair), compare_fields(model, *pair[::-1])
    assert [c.relation for c in there] == [c.relation for c in back]
    assert [(c.left, c.right) for c in there] == [(c.right, c.left) for c in back]
    assert "\n" not in explain(model, *pair)


@drawn(15)
@given(st.lists(TEXT, max_size=8))
def test_pairs_to_ask_about_are_pairs_of_titles_with_words(titles):
    chosen = select_pairs(checker_of("light").with_titles(titles), 50)
    keys = {title_key(t) for t, stems in zip(titles, preprocess_titles(titles), strict=True) if stems}
    assert len(chosen) == len(keys) * (len(keys) - 1) // 2
    assert set(chosen["judul_a"]) | set(chosen["judul_b"]) <= set(titles)


@cache
def methods():
    return fit_baselines(["Deteksi Hoaks Politik", "Prediksi Harga Padi", "Klasifikasi Daun CNN"])


@drawn(20)
@given(st.lists(PAIR, min_size=1, max_size=4))
def test_the_usual_methods_score_any_text(pairs):
    left, right = ([pair[side] for pair in pairs] for side in (0, 1))
    for name, method in methods().items():
        scores = method(left, right)
        assert scores.shape == (len(pairs),), name
        assert ((scores >= 0) & (scores <= 1 + 1e-9)).all(), name


# What is shown.


class Shown(HTMLParser):
    """The tags and the text of some HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags, self.text = set(), ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags |= {tag, *(name for name, _ in attrs)}

    def handle_data(self, data):
        self.text += data


OURS = set(
    "p div span strong q bdi mark table thead tbody tr th td small button dl dt dd ul li class type "
    "title aria-hidden scope data-row data-value style".split()
)


@both
@drawn(20)
@given(query=TEXT, titles=st.lists(TEXT, min_size=1, max_size=3))
def test_titles_are_text_on_the_page(name, query, titles):
    matches = checker_of(name).with_titles(titles).check(query)
    found = check_proposals([query, *titles], checker_of(name).with_titles(titles))
    series = pd.Series([query, *titles], index=range(2, len(titles) + 3))
    for shown, expected in (
        (result_html.verdict(matches), matches.decision.titles),
        (result_html.match_table(query, matches, interactive=True), titles),
        (result_html.title_pair(query, titles[0]), [query, titles[0]]),
        (result_html.comparison({"x": matches, "<y>": matches}), matches.decision.titles),
        (result_html.proposal_table(series, found), [query]),
        (tables.table(pd.DataFrame({query: titles})), titles),
        (tables.summary({query: titles[0]}, titles[-1]), [query, titles[0], titles[-1]]),
    ):
        page = Shown(shown.html)
        assert page.tags <= OURS, page.tags - OURS
        assert all(title in page.text for title in expected)
        assert isinstance(shown.text, str)
    assert "<" not in match_plots.short_title(query)
    bars = json.loads(match_plots.match_bars(matches).to_json())
    assert len(bars["layout"]["yaxis"]["ticktext"]) == len(titles)


@both
@drawn(20)
@given(query=TEXT, titles=st.lists(TEXT, min_size=1, max_size=3))
def test_an_answer_in_the_terminal_is_text_json_or_csv(name, query, titles):
    checker = checker_of(name).with_titles(titles)
    matches = checker.check(query)
    told = answers.format_answer(query, matches, checker, name, "table")
    assert told.replace("\n", "").isprintable()
    told = json.loads(answers.format_answer(query, matches, checker, name, "json"))
    assert (told["judul"], len(told["hasil"])) == (query, len(titles))
    told = answers.format_answer(query, matches, checker, name, "csv")
    rows = list(csv.DictReader(io.StringIO(told, newline=""), strict=True))
    assert [row["judul_ref"] for row in rows] == list(map(escape_formula, matches.titles))


@drawn(60)
@given(ANY)
def test_what_is_said_does_not_steer_the_terminal(text):
    with CliRunner().isolation() as (_, err, _):
        print_stderr(text)
        assert err.getvalue().decode().removesuffix("\n").isprintable()


# What is kept.


@cache
def log() -> tuple[UsageLog, str]:
    place = folder()
    return UsageLog(place, log_text=True), sqlite_url(place)


def logged() -> list[list[dict]]:
    with opened_database(log()[1]) as engine:
        return [read_table(engine, table) for table in (predictions, feedback, events)]


@drawn(20)
@given(st.lists(st.tuples(ANY, ANY), min_size=1, max_size=4))
def test_every_answer_and_opinion_is_in_the_log(pairs):
    usage, before = log()[0], list(map(len, logged()))
    scores = np.array([[0.5, 0.5, 0.5]]), np.array([0.5])
    usage.log_predictions(
        [AnsweredQuery(a, {"light": Matches([b], *scores, 0.5)}, 0.1) for a, b in pairs], "page"
    )
    for a, b in pairs:
        usage.log_feedback(Feedback("light", "MIRIP", 0.5, 0.5, True, None, a, b))
        usage.log_event("error", detail=type(a).__name__)
    after = logged()
    assert list(map(len, after)) == [n + len(pairs) for n in before]
    texts = [row["query_text"] or "" for rows in after[:2] for row in rows]
    assert all("\0" not in text and text.encode() is not None for text in texts)


SETTING = st.one_of(
    st.text(max_size=20), MIXED, st.integers().map(str), st.floats().map(str), st.just("1" * 5_000)
)
NAMES = "models threshold elsewhere top_k max_upload_mb max_rows host port log token ab_test"


@drawn(150)
@given(
    st.sampled_from(NAMES.split()),
    SETTING,
    st.sampled_from(["{} = {}", '{} = "{}"', "[{}]\n{} = 1", "{}{}"]),
)
def test_settings_are_read_or_refused_with_a_sentence(name, value, form):
    path = folder() / "judul.toml"
    path.write_text(form.format(name, value), encoding="utf-8", newline="")
    for read in (
        lambda: load_config(path, {}),
        lambda: load_config(None, {f"JUDUL_{name.upper()}": value}),
    ):
        with contextlib.suppress(ConfigError):
            config = read()
            assert isinstance(config, Config)
            assert 0 <= config.threshold <= 1
            assert 1 <= config.port <= 65_535
            assert "\0" not in str(config.models)


@drawn(60)
@given(
    st.one_of(ANY, st.tuples(st.sampled_from(["postgresql://h:", "mysql://", "x://"]), ANY).map("".join))
)
def test_an_address_of_a_database_is_used_or_refused(address):
    if address.startswith("sqlite") or "\0" in address:
        return
    with (
        mock.patch("judul_lib.usage.database.sa.create_engine", side_effect=ImportError),
        pytest.raises(LogError),
    ):
        open_database(address)
