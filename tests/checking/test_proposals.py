import pandas as pd
import pytest

from judul_lib.checking.batches import (
    CLOSEST,
    NOT_COMPARED,
    OTHER_ROW,
    VERDICT,
    check_proposals,
    nearest_proposals,
)
from judul_lib.checking.loading import load_checker
from tests.conftest import PROJECT, gold_titles

CORPUS = ["Prediksi Harga Rumah di Bekasi", "Deteksi Hoaks Politik dengan IndoBERT"]
# Equal titles, nothing in common, a single word, other case: they give ties and zeros.
PROPOSALS = [
    "Prediksi Harga Rumah", "Deteksi Hoaks", "prediksi harga rumah", "Hoaks", "Analisis Beton Serat",
    "Prediksi Harga Rumah", "Deteksi Berita Bohong dengan BERT", "beton", "Klasifikasi Padi CNN",
] * 3  # fmt: skip


@pytest.fixture(params=["light", "structured"])
def checker(request):
    return load_checker(PROJECT / "outputs" / request.param, CORPUS)


RANKS = ["TIDAK MIRIP", "TANYAKAN", "MIRIP"]


@pytest.mark.parametrize("titles", [PROPOSALS, gold_titles()[:400:10]], ids=["ties", "real"])
def test_nearest_proposal_is_the_deciding_one_among_all_others(checker, titles):
    nearest = nearest_proposals(titles, checker)
    for row, title in enumerate(titles):
        others = [k for k in range(len(titles)) if k != row]
        features, probability, labels = checker.score([title] * len(others), [titles[k] for k in others])
        ranks = [RANKS.index(label) for label in labels]
        keys = list(zip(ranks, probability, features[:, 0], features[:, 2], strict=True))
        assert nearest[row] == others[keys.index(max(keys))]


def test_many_titles_are_answered_like_single_ones(checker):
    many = list(checker.check_many(PROPOSALS))
    for title, matches in zip(PROPOSALS, many, strict=True):
        assert matches.rows() == checker.check(title).rows()


def test_every_proposal_has_a_row(checker):
    titles = ["", "Prediksi Harga Rumah", "yang", "Deteksi Hoaks", "-"]
    result = check_proposals(titles, checker)
    assert len(result) == 5
    assert result[VERDICT].eq(NOT_COMPARED).tolist() == [True, False, True, False, True]
    assert result[CLOSEST].tolist()[1::2] == CORPUS
    assert result[OTHER_ROW].tolist()[1] == 4


@pytest.mark.parametrize("titles", [[], [""], ["Prediksi Harga Rumah"]])
def test_fewer_than_two_proposals_have_no_nearest(checker, titles):
    result = check_proposals(titles, checker)
    assert len(result) == len(titles)
    assert pd.isna(result[OTHER_ROW]).all()


def test_progress_is_reported_up_to_the_total(checker):
    calls = []
    check_proposals(PROPOSALS, checker, on_progress=lambda done, total: calls.append((done, total)))
    done = [d for d, _ in calls]
    assert done == sorted(done)
    assert calls[-1] == (2 * len(PROPOSALS), 2 * len(PROPOSALS))


def test_with_an_empty_corpus_proposals_are_compared_with_each_other(checker):
    result = check_proposals(["Prediksi Harga Rumah", "prediksi harga rumah"], checker.with_titles([]))
    assert result[OTHER_ROW].tolist() == [2, 1]
    assert result[CLOSEST].isna().all()


def test_too_many_proposals_are_compared_with_the_corpus_only(checker, monkeypatch):
    monkeypatch.setattr("judul_lib.checking.batches.MAX_PROPOSALS_COMPARED", 3)
    result = check_proposals(PROPOSALS[:4], checker)
    assert result[CLOSEST].notna().all()
    assert result[OTHER_ROW].isna().all()


def test_rows_of_a_group_are_one_proposal(checker):
    titles = ["Prediksi Harga Rumah", "prediksi harga rumah", "Deteksi Hoaks", "Prediksi Harga Sewa"]
    alone = check_proposals([titles[0], *titles[2:]], checker)
    calls = []
    result = check_proposals(
        titles, checker, first_rows=[0, 0, 2, 3], on_progress=lambda *call: calls.append(call)
    )
    assert result[OTHER_ROW].tolist() == [4, 4, *result[OTHER_ROW].tolist()[2:]]
    assert result.iloc[0].equals(result.iloc[1])
    columns = [VERDICT, CLOSEST, "simpulan_antarusulan", "usulan_terdekat"]
    assert result.iloc[[0, 2, 3]][columns].to_numpy().tolist() == alone[columns].to_numpy().tolist()
    assert calls[-1] == (7, 7)


def test_a_single_group_has_no_other_proposal(checker):
    result = check_proposals(["Prediksi Harga Rumah"] * 3, checker, first_rows=[0, 0, 0])
    assert result[OTHER_ROW].isna().all()
    assert len(set(result[VERDICT])) == 1
