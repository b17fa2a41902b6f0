"""The walks of CONTRIBUTING, in a copy of the package: what they say is all that there is to do."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from judul_lib import TitleIndex, load_checker
from judul_lib.checking.registry import read_metadata, save_model
from judul_lib.cli.main import cli
from judul_lib.core.settings import FEATURE_TITLES, FULL, LIGHT
from judul_lib.figures.result_html import match_table
from judul_lib.search import study_search
from judul_lib.search.dedup import find_duplicates
from judul_lib.structured.boosting import BoostedTrees
from judul_lib.structured.model import STRUCTURED_FEATURES, StructuredModel
from judul_lib.study.corpus import read_corpus
from judul_lib.study.estimators import fit_vectorizer
from judul_lib.study.features import FEATURES, TitleTable
from judul_lib.study.labeling import label_pairs
from judul_lib.training.forest import features_of_pairs, package_model, train_model
from tests.conftest import DATA, PROJECT

FEATURE = '''
def same_start(left: TitleTable, right: TitleTable) -> FloatArray:
    """Share of the longer title up to which both have the same letters, in [0, 1]."""
    return np.array([len(commonprefix([a, b])) / max(len(a), len(b), 1)
                     for a, b in zip(left.letters, right.letters)])


FEATURES: Mapping'''


def change(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.slow
def test_a_similarity_feature_is_a_function_and_its_name(tmp_path):
    package = tmp_path / "judul_lib"
    shutil.copytree(PROJECT / "judul_lib", package, ignore=shutil.ignore_patterns("__py*"))
    module, words = package / "study" / "features.py", package / "core" / "texts.toml"
    change(module, "import numpy as np\n", "from os.path import commonprefix\nimport numpy as np\n")
    change(module, "FEATURES: Mapping", FEATURE)
    change(module, '"levenshtein": levenshtein', '"levenshtein": levenshtein, "same_start": same_start')
    change(words, '\njaccard = "Jaccard"', '\njaccard = "Jaccard"\nsame_start = "Awal sama"')
    change(package / "core" / "settings.py", '"Levenshtein"}', '"Levenshtein", "same_start": "awal"}')
    done = subprocess.run(
        [sys.executable, __file__, tmp_path / "outputs"], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{PROJECT}"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    header = next(line for line in done.stdout.splitlines() if line.startswith(" no "))
    assert header.split()[2:-2] == [*(FEATURE_TITLES[name] for name in FEATURES), "awal"]


def walked(outputs):
    """Train, package and use models of the changed package; every answer as by comparing with all."""
    corpus = read_corpus(DATA)
    titles, processed = (corpus.titles[name].tolist() for name in ("Judul", "judul_proc"))
    labeled = label_pairs(fit_vectorizer(processed, FULL).transform(processed))
    package_model(train_model(titles, processed, labeled.pairs, LIGHT), corpus, outputs / "light")
    cli(["check", titles[0], "--models", str(outputs), "--model", "light"], standalone_mode=False)
    plain, exact = (find_duplicates(titles, outputs / "light", exact=exact) for exact in (False, True))
    assert len(plain) > 0
    pd.testing.assert_frame_equal(plain.pairs, exact.pairs)
    # From here on the new feature decides: a bound that forgot it would leave titles out.
    table = TitleTable.build(titles, processed, fit_vectorizer(processed, FULL))
    likeness = features_of_pairs(table, labeled.pairs)["same_start"]
    other = labeled.pairs.assign(label=(likeness > likeness.median()).astype(int))
    result = train_model(titles, processed, other, LIGHT)
    package_model(result, corpus, outputs / "other")
    assert list(result.importances) == read_metadata(outputs / "light")["features"] == list(FEATURES)
    package_structured(outputs)
    # So few titles would all be compared before a bound counts.
    study_search._FIRST = study_search._NEXT = 2
    for name in ("other", "structured"):
        check_index(outputs / name, titles)


def package_structured(outputs):
    folder = PROJECT / "outputs" / "structured"
    stored = StructuredModel.from_bytes((folder / "structured.npz").read_bytes())
    model = replace(stored, same=asking_the_new(stored.same), asked=asking_the_new(stored.asked))
    files = {path.name: path.read_bytes() for path in folder.glob("*.csv")}
    metadata = read_metadata(folder) | {"features": list(STRUCTURED_FEATURES)}
    save_model(outputs / "structured", files | {"structured.npz": model.to_bytes()}, metadata)
    features = model.pair_features(["Deteksi Hoaks", "Padi"], ["Deteksi Hama", "Jagung"])
    assert (features[:, 3] > 0.3).tolist() == [True, False]
    start, parts = model.contributions(features)
    np.testing.assert_allclose(sum(parts.values()) + start, model.log_odds(features))


def asking_the_new(trees):
    """Return trees that know the old features where they stand now, and one more: it asks the new."""
    shape = 1, trees.feature.shape[1]
    itself = np.broadcast_to(np.arange(shape[1], dtype=np.int16), shape)
    own = {
        name: np.zeros(shape, getattr(trees, name).dtype) for name in ("feature", "threshold", "value")
    }
    own |= {"left": itself.copy(), "right": itself.copy()}
    own["feature"][0, 0], own["threshold"][0, 0] = 3, 0.3
    own["left"][0, 0], own["right"][0, 0], own["value"][0, 1:3] = 1, 2, (-4, 4)
    moved = {name: getattr(trees, name) for name in own}
    moved["feature"] = trees.feature + (trees.feature >= 3)
    return BoostedTrees(trees.base, **{name: np.vstack([moved[name], own[name]]) for name in own})


def check_index(folder, titles):
    checker, index = load_checker(folder).with_titles(titles), TitleIndex.build(titles, folder)
    queries = [start[:25] + end[25:] for start, end in zip(titles[::12], titles[6::12], strict=False)]
    for every, few in zip(
        checker.check_many(queries, top_k=5), index.check_many(queries, top_k=5), strict=True
    ):
        assert every.titles == few.titles
        np.testing.assert_array_equal(every.features, few.features)
    assert "Awal sama" in match_table(queries[0], every).html


if __name__ == "__main__":
    walked(Path(sys.argv[1]))
