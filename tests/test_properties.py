"""For any text or table: no unexpected exception, no lost row, and results within their bounds.

Examples are the same in every run. Functions of numbers that the package itself computes (metrics,
ablations, figures of training) are not covered.
"""

import contextlib
import csv
import io
import json
import math
import re
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
from judul_lib.checking.typed_title import MAX_TITLE_LENGTH, require_title
from judul_lib.cli import answers
from judul_lib.cli.shared import print_stderr
from judul_lib.core.array_files import StringColumn
from judul_lib.core.config import Config, load_config
from judul_lib.core.errors import ConfigError, JudulError, LabelError, LogError, TitleError
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
from judul_lib.study.title_text import clean_title
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
from judul_lib.web.sheets import file_stem
from tests import nasty_files
from tests.conftest import PROJECT

# Many texts have no word that can be compared.
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
# With null characters and lone surrogates.
ANY_STRING = st.lists(st.sampled_from([*PIECES, "\0", "\ud800", "\udcff"]), max_size=8).map("".join)
CELL = TEXT.map(lambda text: text.replace("\0", ""))  # Files with null characters are refused.
PAIR = st.tuples(TEXT, TEXT)


def examples(n: int):
    """Try n examples, the same ones in every run."""
    return settings(derandomize=True, database=None, max_examples=n)


@cache
def load_cached_checker(name: str):
    return load_checker(PROJECT / "outputs" / name)


both_models = pytest.mark.parametrize("name", ["light", "structured"])


def error_message(function) -> str:
    """Return the message of the error that the function raises, or "" if it raises none."""
    try:
        function()
    except JudulError as error:
        return str(error)
    return ""


# Tables.


def csv_bytes(rows, separator, line_end, encoding) -> bytes:
    bom = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding, b"")
    text = nasty_files.csv_text(
        [["Judul", "Nama"], *rows], separator=separator, line_end=line_end, quoting=csv.QUOTE_ALL
    )
    return bom + text.encode(encoding)


CSV_FORMATS = st.tuples(
    st.sampled_from(",;\t"),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be"]),
)


@examples(80)
@given(st.lists(st.lists(CELL, min_size=1, max_size=3), max_size=8), CSV_FORMATS)
def test_every_row_of_a_corpus_is_kept_or_rejected(rows, csv_format):
    corpus = parse_corpus(csv_bytes(rows, *csv_format), "x.csv", min_titles=0)
    rejected = dict(zip(corpus.rejected["baris"], corpus.rejected["Judul"], strict=True))
    titles = rejected | dict(zip(corpus.rows, corpus.titles["Judul"], strict=True))
    assert [titles[row] for row in sorted(titles)] == [clean_title(row[0]) for row in rows]
    assert corpus.n_rows == len(rows) == len(corpus.titles) + len(corpus.rejected)
    assert sorted(titles) == list(range(2, len(rows) + 2))
    keys = corpus.titles["Judul"].map(title_key)
    assert not keys.duplicated().any()
    assert all(preprocess_cells(corpus.titles["Judul"].tolist()))
    assert corpus.titles["judul_proc"].tolist() == preprocess_titles(corpus.titles["Judul"])


@examples(60)
@given(st.lists(st.lists(CELL, min_size=2, max_size=2), max_size=8), CSV_FORMATS)
def test_every_row_of_a_table_is_read_unchanged(rows, csv_format):
    notes = []
    frame = table_frame(csv_bytes(rows, *csv_format), "x.csv", warn=notes.append)
    expected = {n: row for n, row in enumerate(rows, start=2) if any(row)}
    assert dict(zip(frame.index, frame.to_numpy().tolist(), strict=True)) == expected
    n_blank = len(rows) - len(expected)
    assert [note for note in notes if "baris kosong" in note] == (
        [f"Catatan: {n_blank} baris kosong di x.csv dilewati."] if n_blank else []
    )


CONTENTS = [content for nasty in nasty_files.NASTY if len(content := nasty.content()) < 9_000]


@st.composite
def damaged_content(draw) -> bytes:
    """Return the content of a nasty file with some bytes changed, missing or added."""
    content = bytearray(draw(st.sampled_from(CONTENTS)))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(content)))
        content[start : start + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
    return bytes(content)


@examples(300)
@given(st.one_of(st.binary(max_size=200), damaged_content()))
def test_any_bytes_are_read_or_refused_with_a_sentence(content):
    for read in (lambda: parse_corpus(content, "x.csv", min_titles=0, max_rows=500).n_rows,
                 lambda: len(table_frame(content, "x.csv", max_rows=500))):  # fmt: skip
        message = error_message(read)
        assert message.endswith(".") or not message
        assert "\n" not in message


@examples(60)
@given(st.lists(st.tuples(TEXT, TEXT), max_size=6), CELL)
def test_a_written_table_is_read_unchanged(tmp_path_factory, rows, name):
    names = ["Judul", f"x{name}"]
    frame = pd.DataFrame(rows, columns=names, dtype=object)
    dicts = [dict(zip(names, row, strict=True)) for row in rows]
    for text in (frame_text(frame), csv_text(dicts, names)):
        read = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        assert read == [names, *map(list, rows)]
        again = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False, skip_blank_lines=False)
        assert again.shape == (len(rows), 2)
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    write_frame(frame, path)
    assert path.read_bytes().decode() == frame_text(frame)


@examples(30)
@given(st.lists(CELL, max_size=8))
def test_a_saved_corpus_is_loaded_unchanged(tmp_path_factory, titles):
    corpus = parse_corpus(csv_bytes([(t, "x") for t in titles], ",", "\n", "utf-8"), "x", min_titles=0)
    folder = tmp_path_factory.mktemp("corpus")
    save_corpus(corpus, folder)
    loaded = load_corpus(folder)
    assert loaded.titles.to_numpy().tolist() == corpus.titles.to_numpy().tolist()
    assert loaded.rejected["Judul"].tolist() == corpus.rejected["Judul"].tolist()
    assert (loaded.rows, loaded.n_rows) == (corpus.rows, corpus.n_rows)


@examples(200)
@given(TEXT)
def test_an_escaped_cell_is_no_formula_and_keeps_its_text(text):
    cell = escape_formula(text)
    number = r"[+-]?\d[\d.,]*"
    for part in re.split(r"[;\t\r\n]\s*", cell):
        assert not part.startswith(("=", "+", "-", "@")) or re.fullmatch(number, cell)
    assert escape_formula(cell) == cell
    assert cell.replace("'", "") == text.replace("'", "")
    assert csv_with_escaped_formulas([{"Judul": text}]) == csv_text([{"Judul": cell}], ["Judul"])


@examples(60)
@given(st.lists(CELL, max_size=8), st.lists(CELL, max_size=3))
def test_column_names_are_made_unique_and_found(names, taken):
    unique = unique_names(names, taken)
    assert len(set(unique)) == len(names)
    assert not set(unique) & set(taken)
    assert all(new == old or new.startswith(f"{old}_") for new, old in zip(unique, names, strict=True))
    positions = [k for k, name in enumerate(names) if name.strip().casefold() == "judul"]
    if error_message(lambda: find_column(names, "Judul", "x")):
        assert len(positions) != 1
    else:
        assert [find_column(names, "Judul", "x")] == positions


ROW = st.tuples(CELL, CELL, st.sampled_from(["mirip", "TIDAK ", "ragu", "0", "1", "x", ""]))


@examples(60)
@given(st.lists(ROW, max_size=5))
def test_every_label_of_a_file_counts_or_the_file_is_refused(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("labels") / "label.csv"
    path.write_bytes(nasty_files.csv_text([LABEL_COLUMNS, *rows], quoting=csv.QUOTE_ALL).encode())
    not_blank = [row for row in rows if any(row)]
    if message := error_message(lambda: read_label_file(path)):
        assert re.search(r"baris \d+", message)
        assert any(not all(preprocess_cells(row[:2])) or row[2] in ("x", "") for row in not_blank)
        return
    votes = read_label_file(path)
    assert len(votes.rows) + votes.n_unsure == len(not_blank)
    labels = majority_vote(votes)
    assert labels.n_answers == len(votes.rows)
    assert len(labels.pairs) + labels.n_ties == len({pair_key(*row[:2]) for row in votes.rows})


@examples(60)
@given(st.lists(st.tuples(PAIR, st.sampled_from([0, 1])), max_size=8), st.integers(0, 5))
def test_the_majority_decides_and_no_answer_is_lost(labeled_pairs, n_unsure):
    rows = [(*pair, label) for pair, label in labeled_pairs]
    labels = majority_vote(PairVotes(rows, n_unsure) + PairVotes())
    votes = {}
    for left, right, label in rows:
        votes.setdefault(pair_key(left, right), []).append(label)
    assert labels.n_answers == len(rows)
    assert labels.n_ties == sum(2 * sum(values) == len(values) for values in votes.values())
    for left, right, label in labels.pairs.itertuples(index=False):
        values = votes[pair_key(left, right)]
        assert label == (2 * sum(values) > len(values))


FEEDBACK = st.fixed_dictionaries({
    "is_right": st.sampled_from([True, False, None]), "simulated": st.booleans(),
    "label": st.sampled_from(["MIRIP", "TIDAK MIRIP", "TANYAKAN", "?"]),
    "query_text": st.one_of(st.none(), TEXT), "match_text": st.one_of(st.none(), TEXT),
    "query_hash": st.one_of(st.none(), st.just("0" * 16)), "match_hash": st.none(),
    "user": st.sampled_from(["a", "b", None]),
})  # fmt: skip


@examples(40)
@given(st.lists(FEEDBACK, max_size=8), TEXTS)
def test_feedback_counts_at_most_once_and_only_for_titles_with_words(rows, titles):
    votes = feedback_votes(rows, titles, b"key")
    usable = [row for row in rows if row["is_right"] is not None and not row["simulated"]]
    assert len(votes.rows) + votes.n_unsure + votes.n_unreadable <= len(usable)
    assert all(all(preprocess_titles(row[:2])) for row in votes.rows)


@examples(30)
@given(st.lists(st.tuples(st.text(min_size=1, max_size=9), TEXT, st.sampled_from(ANSWERS)), max_size=4))
def test_answers_to_any_titles_are_saved(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("labels")
    pairs = {pair_key(f"a{left}", f"b{right}"): (f"a{left}", f"b{right}") for left, right, _ in steps}
    pairs = {key: tuple(t.replace("\0", "") for t in pair) for key, pair in pairs.items()}
    session = LabelingSession(folder, "p1", list(pairs.values()))
    for (*_, label), _ in zip(steps, pairs, strict=False):
        session.answer(label)
    saved = read_answers(session.path)
    assert [(a.key, a.label) for a in saved] == [(a.key, a.label) for a in session.answers]
    assert LabelingSession(folder, "p1", list(pairs.values())).current is None
    agreement = compare_answers(saved, session.answers, n_resamples=5)
    assert agreement.n_shared == len(saved)
    assert agreement.disagreements.empty


@examples(60)
@given(st.lists(st.tuples(*[CELL] * len(ANSWER_COLUMNS)), max_size=4), st.booleans())
def test_a_file_of_answers_is_read_completely_or_refused(tmp_path_factory, rows, is_valid):
    if is_valid:
        rows = [(f"a{a}", f"b{b}", "mirip", "p1", "2026-01-02T03:04:05+00:00") for a, b, *_ in rows]
    path = tmp_path_factory.mktemp("labels") / "label-p1.csv"
    path.write_bytes(nasty_files.csv_text([ANSWER_COLUMNS, *rows], quoting=csv.QUOTE_ALL).encode())
    if is_valid:
        assert len(read_answers(path)) == len({pair_key(*row[:2]) for row in rows})
    elif any(map(any, rows)):
        with pytest.raises(LabelError, match="rusak dan tidak diubah"):
            read_answers(path)


GOLD = st.tuples(
    st.sampled_from(["g1", "g2", "g3"]), st.sampled_from(["1", "2"]),
    st.sampled_from([*GRADE_BY_KIND, "x"]),
    st.just("-"), CELL, CELL, st.sampled_from(["dev", "test"]),
)  # fmt: skip


@examples(60)
@given(st.lists(GOLD, max_size=4))
def test_gold_pairs_are_read_completely_or_refused_with_their_line(tmp_path_factory, rows):
    rows = [
        (i, b, k, str(GRADE_BY_KIND.get(k, g)), f"{b}{left}", right, s)
        for i, b, k, g, left, right, s in rows
    ]
    folder = tmp_path_factory.mktemp("gold")
    (folder / "gold.csv").write_bytes(
        nasty_files.csv_text([COLUMNS, *rows], quoting=csv.QUOTE_ALL).encode()
    )
    (folder / "kedua.csv").write_text("id,grade\n" + "".join(f"{row[0]},{row[3]}\n" for row in rows))
    if message := error_message(lambda: read_gold(folder / "gold.csv")):
        assert re.search(r"gold\.csv baris [2-5]:", message)
        return
    gold = read_gold(folder / "gold.csv")
    assert gold[list(COLUMNS)].astype(str).to_numpy().tolist() == list(map(list, rows))
    assert len(read_second_grades(folder / "kedua.csv", gold)) == len(rows)
    assert set(crossed_pairs(gold)["base_id"]) <= set(gold["base_id"])


# One text.


@examples(200)
@given(TEXT)
def test_a_title_is_preprocessed_alike_everywhere_or_has_a_fault(title):
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


@examples(200)
@given(TEXT)
def test_names_made_from_any_text_stay_in_their_folder(text):
    assert re.fullmatch("[a-z0-9-]+", file_stem(text))
    with contextlib.suppress(LabelError):
        labeller = labeller_id(text)
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", labeller)
        assert labeller_id(labeller) == labeller
        assert answer_file("label", text).parent == Path("label")
    with contextlib.suppress(LogError):
        assert re.fullmatch("[0-9a-f]{16}", user_id(text))
    for name in (text, f"outputs/light/{text}", f"log/{text}"):
        with contextlib.suppress(LogError):
            require_safe_name(name)
            assert not PurePosixPath(name).is_absolute()
            assert ".." not in name.split("/")
            assert not {"\\", "\0", ":"} & set(name)


@examples(100)
@given(TEXT)
def test_hash_problem_and_classes_of_any_title_are_valid(text):
    digits = keyed_hash(b"k", text)
    assert re.fullmatch("[0-9a-f]{16}", digits)
    assert keyed_hash(b"k", f" {text.casefold()}\n") == digits
    assert assigned_model(digits, {"light": 0.0, "full": 0.3, "structured": 0.7}) != "light"
    if len(text) <= MAX_TITLE_LENGTH and len(preprocess_text(text).split()) >= 2:
        assert require_title(text) == " ".join(text.split())
    else:
        with pytest.raises(TitleError, match=r"\S"):
            require_title(text)
    assert 0 <= foreign_share(text) <= 1
    pairs = pd.DataFrame({"judul_a": [text, ""], "judul_b": ["", text]})
    for group in (length_class(pairs), language_class(pairs)):
        assert group.str.contains("kata|istilah", na=False).all()


@examples(100)
@given(TEXT)
def test_words_are_corrected_to_letters_and_digits(text):
    words = tokenize(text)
    standard = [word.text for word in standard_words(text, parser().lexicon.places)]
    assert all(word.isascii() and word.isalnum() for word in standard)
    assert len(standard) >= len(words)
    assert all(corrected_stem(word) for word in words)
    assert all(is_dictionary_word(word) in (True, False) for word in words)


@cache
def parser() -> TitleParser:
    return TitleParser()


@examples(60)
@given(TEXTS)
def test_titles_of_a_table_are_parsed_as_single_titles(titles):
    model = load_cached_checker("structured")._model
    table = model.records(titles)
    assert isinstance(table, RecordTable)
    assert len(table) == len(titles)
    for row, title in enumerate(titles):
        assert table.parse(row) == parser().parse(title)[:32]
        assert all(unit.field in FIELDS for unit in table.parse(row))
        same = np.zeros((len(table.parse(row)), len(table.parse(0))), dtype=bool)
        mark_abbreviations(table.parse(row), table.parse(0), same)
        reverse = np.zeros(same.shape[::-1], dtype=bool)
        mark_abbreviations(table.parse(0), table.parse(row), reverse)
        assert (same == reverse.T).all()
        assert all(parser().is_word(word) in (True, False) for word in tokenize(title))
    vectors = model.vectors.embed(titles)
    lengths = np.linalg.norm(vectors, axis=1)
    assert vectors.shape[0] == len(titles)
    assert ((lengths == 0) | (abs(lengths - 1) < 0.02)).all()
    pieces = cut_titles(titles)
    assert all(isinstance(piece, str) for kind in vars(pieces).values() for piece in kind)


@examples(60)
@given(st.lists(ANY_STRING, max_size=8), ANY_STRING)
def test_a_column_of_strings_equals_a_list_of_strings(strings, other):
    strings = sorted(strings, key=lambda text: text.encode("utf-8", "surrogatepass"))
    column = StringColumn.from_strings(strings)
    assert list(column) == column[:] == strings
    for string in (*strings, other):
        assert column.rows_of(string).tolist() == [k for k, item in enumerate(strings) if item == string]
        assert column.find(string) == (strings.index(string) if string in strings else -1)
    assert list(StringColumn.from_arrays(column.arrays("x"), "x")) == strings


# Titles and models.


@examples(60)
@given(st.lists(PAIR, max_size=5))
def test_features_are_bounded_symmetric_and_equal_those_of_single_pairs(pairs):
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


@both_models
@examples(25)
@given(titles=TEXTS, queries=TEXTS)
def test_a_check_returns_every_title_for_every_query(name, titles, queries):
    checker = load_cached_checker(name).with_titles(titles)
    for query, matches in zip(queries, checker.check_many(queries), strict=True):
        assert sorted(matches.titles) == sorted(titles)
        assert ((matches.probability >= 0) & (matches.probability <= 1)).all()
        # The structured model orders titles that are not similar by relatedness.
        if name != "structured":
            assert (np.diff(matches.probability) <= 0).all()
        assert matches.rows() == checker.check(query).rows()
        assert 0 <= checker.unknown_share(query) <= 1
    decisions = [matches.decision for matches in checker.check_many(queries, top_k=1)]
    assert [len(decision) for decision in decisions] == [min(1, len(titles))] * len(queries)


@both_models
@examples(30)
@given(pair=PAIR)
def test_evidence_adds_up_to_the_probability(name, pair):
    checker = load_cached_checker(name)
    evidence = checker.evidence(*pair)
    _, probability, labels = checker.score([pair[0]], [pair[1]])
    assert math.isclose(evidence.base + sum(evidence.parts.values()), evidence.total, abs_tol=1e-9)
    assert math.isclose(evidence.probability, probability[0], abs_tol=1e-9)
    assert labels[0] in ("MIRIP", "TIDAK MIRIP", "TANYAKAN")
    assert checker.pair_features([pair[0]], [pair[1]]).shape[0] == 1
    figure = match_plots.evidence_waterfall(evidence, pair[1])
    assert "<b>" not in json.loads(figure.to_json())["layout"]["title"]["text"]


@both_models
@examples(25)
@given(pairs=st.lists(PAIR, max_size=5))
def test_pairs_and_proposals_keep_their_rows(name, pairs):
    left, right = ([pair[side] for pair in pairs] for side in (0, 1))
    checker = load_cached_checker(name).with_titles(right)
    scored = score_pairs(left, right, checker)
    readable = [all(preprocess_cells(pair)) for pair in pairs]
    assert [row["rf_label"] is not None for row in scored] == readable
    alone = [score_pairs([a], [b], checker)[0] for a, b in pairs]
    assert [row["rf_label"] for row in scored] == [row["rf_label"] for row in alone]
    checked = check_proposals(left, checker)
    assert len(checked) == len(left)
    expected = [not stems or not right for stems in preprocess_cells(left)]
    assert checked[VERDICT].eq(NOT_COMPARED).tolist() == expected
    assert all(1 <= row <= len(left) for row in checked[OTHER_ROW].dropna())


@both_models
@examples(8)
@given(titles=st.lists(TEXT, min_size=1, max_size=6), added=TEXTS, queries=TEXTS)
def test_an_index_answers_like_the_plain_check(name, titles, added, queries):
    index = TitleIndex.build(titles, PROJECT / "outputs" / name)
    if added:
        index.add(added)
    assert list(index.titles) == [*titles, *added]
    plain = load_cached_checker(name).with_titles(list(index.titles))
    for query in queries:
        assert index.check(query, top_k=3).rows() == plain.check(query, top_k=3).rows()
    n_removed = index.remove(titles[0])
    remaining = [title for title in (*titles, *added) if title != titles[0]]
    assert list(index.titles) == remaining
    assert n_removed == len(titles) + len(added) - len(remaining)


@examples(15)
@given(titles=st.lists(TEXT, max_size=7))
def test_near_duplicates_are_all_pairs_above_the_threshold(titles):
    found = find_duplicates(titles, LIGHT, threshold=0.5)
    checker = load_cached_checker("light")
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


@examples(20)
@given(st.lists(TEXT, min_size=1, max_size=5), TEXT)
def test_compute_similarities_returns_every_row_for_a_title_with_words(titles, query):
    model = load_model(LIGHT)
    found = compute_similarities(
        query, model.tfidf, model.scaler, model.forest, pd.DataFrame({"Judul": titles})
    )
    assert sorted(found["judul_ref"]) == (sorted(titles) if preprocess_titles([query])[0] else [])
    assert found["rf_probability"].between(0, 1).all()


@examples(20)
@given(PAIR)
def test_field_comparisons_are_symmetric(pair):
    model = load_cached_checker("structured")._model
    forward, backward = compare_fields(model, *pair), compare_fields(model, *pair[::-1])
    assert [c.relation for c in forward] == [c.relation for c in backward]
    assert [(c.left, c.right) for c in forward] == [(c.right, c.left) for c in backward]
    assert "\n" not in explain(model, *pair)


@examples(15)
@given(st.lists(TEXT, max_size=8))
def test_selected_pairs_are_all_pairs_of_distinct_titles_with_words(titles):
    selected = select_pairs(load_cached_checker("light").with_titles(titles), 50)
    keys = {title_key(t) for t, stems in zip(titles, preprocess_titles(titles), strict=True) if stems}
    assert len(selected) == len(keys) * (len(keys) - 1) // 2
    assert set(selected["judul_a"]) | set(selected["judul_b"]) <= set(titles)


@cache
def fitted_baselines():
    return fit_baselines(["Deteksi Hoaks Politik", "Prediksi Harga Padi", "Klasifikasi Daun CNN"])


@examples(20)
@given(st.lists(PAIR, min_size=1, max_size=4))
def test_baselines_score_any_text(pairs):
    left, right = ([pair[side] for pair in pairs] for side in (0, 1))
    for name, score in fitted_baselines().items():
        scores = score(left, right)
        assert scores.shape == (len(pairs),), name
        assert ((scores >= 0) & (scores <= 1 + 1e-9)).all(), name


# Pages and the terminal.


class HtmlContent(HTMLParser):
    """The tags, attributes and text of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names, self.text = set(), ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.names |= {tag, *(name for name, _ in attrs)}

    def handle_data(self, data):
        self.text += data


ALLOWED_NAMES = set(
    "p div span strong q bdi mark table thead tbody tr th td small button dl dt dd ul li class type "
    "title aria-hidden scope data-row data-value style".split()
)


@both_models
@examples(20)
@given(query=TEXT, titles=st.lists(TEXT, min_size=1, max_size=3))
def test_titles_are_text_on_the_page(name, query, titles):
    checker = load_cached_checker(name).with_titles(titles)
    matches, checked = checker.check(query), check_proposals([query, *titles], checker)
    series = pd.Series([query, *titles], index=range(2, len(titles) + 3))
    for result, expected in (
        (result_html.verdict(matches), matches.decision.titles),
        (result_html.match_table(query, matches, interactive=True), titles),
        (result_html.title_pair(query, titles[0]), [query, titles[0]]),
        (result_html.comparison({"x": matches, "<y>": matches}), matches.decision.titles),
        (result_html.proposal_table(series, checked), [query]),
        (tables.table(pd.DataFrame({query: titles})), titles),
        (tables.summary({query: titles[0]}, titles[-1]), [query, titles[0], titles[-1]]),
    ):
        page = HtmlContent(result.html)
        assert page.names <= ALLOWED_NAMES, page.names - ALLOWED_NAMES
        assert all(title in page.text for title in expected)
        assert isinstance(result.text, str)
    assert "<" not in match_plots.short_title(query)
    bars = json.loads(match_plots.match_bars(matches).to_json())
    assert len(bars["layout"]["yaxis"]["ticktext"]) == len(titles)


@both_models
@examples(20)
@given(query=TEXT, titles=st.lists(TEXT, min_size=1, max_size=3))
def test_answers_are_printable_text_json_or_csv(name, query, titles):
    checker = load_cached_checker(name).with_titles(titles)
    matches = checker.check(query)
    table, as_json, as_csv = (
        answers.format_answer(query, matches, checker, name, output_format)
        for output_format in ("table", "json", "csv")
    )
    assert table.replace("\n", "").isprintable()
    answer = json.loads(as_json)
    assert (answer["judul"], len(answer["hasil"])) == (query, len(titles))
    rows = list(csv.DictReader(io.StringIO(as_csv, newline=""), strict=True))
    assert [row["judul_ref"] for row in rows] == list(map(escape_formula, matches.titles))


@examples(60)
@given(ANY_STRING)
def test_messages_have_no_terminal_escapes(text):
    with CliRunner().isolation() as (_, err, _):
        print_stderr(text)
        assert err.getvalue().decode().removesuffix("\n").isprintable()


# Log and settings.


def log_rows(folder) -> list[list[dict]]:
    with opened_database(sqlite_url(folder)) as engine:
        return [read_table(engine, table) for table in (predictions, feedback, events)]


@examples(20)
@given(st.lists(st.tuples(ANY_STRING, ANY_STRING), min_size=1, max_size=4))
def test_every_answer_and_feedback_is_in_the_log(tmp_path_factory, pairs):
    folder = tmp_path_factory.mktemp("log")
    usage_log = UsageLog(folder, log_text=True)
    scores = np.array([[0.5, 0.5, 0.5]]), np.array([0.5])
    usage_log.log_predictions(
        [AnsweredQuery(a, {"light": Matches([b], *scores, 0.5)}, 0.1) for a, b in pairs], "page"
    )
    for a, b in pairs:
        usage_log.log_feedback(Feedback("light", "MIRIP", 0.5, 0.5, True, None, a, b))
        usage_log.log_event("error", detail=type(a).__name__)
    usage_log.close()
    rows = log_rows(folder)
    assert list(map(len, rows)) == [len(pairs)] * 3
    texts = [row["query_text"] or "" for table in rows[:2] for row in table]
    assert all("\0" not in text and text.encode() is not None for text in texts)


SETTING = st.one_of(
    st.text(max_size=20), MIXED, st.integers().map(str), st.floats().map(str), st.just("1" * 5_000)
)
SETTING_NAMES = "models threshold elsewhere top_k max_upload_mb max_rows host port log token ab_test"


@examples(150)
@given(
    st.sampled_from(SETTING_NAMES.split()),
    SETTING,
    st.sampled_from(["{} = {}", '{} = "{}"', "[{}]\n{} = 1", "{}{}"]),
)
def test_settings_are_within_bounds_or_refused(tmp_path_factory, name, value, template):
    path = tmp_path_factory.mktemp("config") / "judul.toml"
    path.write_text(template.format(name, value), encoding="utf-8", newline="")
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


URL_PREFIXES = st.sampled_from(["", "postgresql://h:", "mysql://", "x://"])


@examples(60)
@given(st.tuples(URL_PREFIXES, ANY_STRING).map("".join))
def test_an_unusable_database_url_is_refused(url):
    if url.startswith("sqlite") or "\0" in url:
        return
    with (
        mock.patch("judul_lib.usage.database.sa.create_engine", side_effect=ImportError),
        pytest.raises(LogError),
    ):
        open_database(url)
