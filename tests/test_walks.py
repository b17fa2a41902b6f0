"""The steps of CONTRIBUTING, followed in a copy of the package, are all that is needed."""

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


def replace_text(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.slow
def test_new_similarity_feature_needs_only_a_function_and_its_names(tmp_path):
    package = tmp_path / "judul_lib"
    shutil.copytree(PROJECT / "judul_lib", package, ignore=shutil.ignore_patterns("__py*"))
    features, core = package / "study" / "features.py", package / "core"
    replace_text(features, "import numpy", "from os.path import commonprefix\nimport numpy")
    replace_text(features, "FEATURES: Mapping", FEATURE)
    replace_text(
        features, '"levenshtein": levenshtein', '"levenshtein": levenshtein, "same_start": same_start'
    )
    replace_text(core / "texts.toml", "\njaccard = ", '\nsame_start = "Awal sama"\njaccard = ')
    replace_text(core / "settings.py", '"Levenshtein"}', '"Levenshtein", "same_start": "awal"}')
    result = subprocess.run(
        [sys.executable, __file__, tmp_path / "outputs"], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{PROJECT}"}, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-2000:]
    header = next(line for line in result.stdout.splitlines() if line.startswith(" no "))
    assert header.split()[2:-2] == [*(FEATURE_TITLES[name] for name in FEATURES), "awal"]


def use_changed_package(outputs):
    """Train, package and use models; check that every answer equals that of a full comparison."""
    corpus = read_corpus(DATA)
    titles, processed = (corpus.titles[name].tolist() for name in ("Judul", "judul_proc"))
    labeled = label_pairs(fit_vectorizer(processed, FULL).transform(processed))
    package_model(train_model(titles, processed, labeled.pairs, LIGHT), corpus, outputs / "light")
    cli(["check", titles[0], "--models", str(outputs), "--model", "light"], standalone_mode=False)
    blocked, exact = (find_duplicates(titles, outputs / "light", exact=exact) for exact in (False, True))
    assert len(blocked) > 0
    pd.testing.assert_frame_equal(blocked.pairs, exact.pairs)
    # These labels depend on the new feature alone: a bound that ignored it would leave titles out.
    table = TitleTable.build(titles, processed, fit_vectorizer(processed, FULL))
    same_start = features_of_pairs(table, labeled.pairs)["same_start"]
    pairs = labeled.pairs.assign(label=(same_start > same_start.median()).astype(int))
    result = train_model(titles, processed, pairs, LIGHT)
    package_model(result, corpus, outputs / "same_start")
    assert list(result.importances) == read_metadata(outputs / "light")["features"] == list(FEATURES)
    package_structured(outputs)
    # With the default batch sizes, so few titles would all be compared before a bound is used.
    study_search._FIRST = study_search._NEXT = 2
    for name in ("same_start", "structured"):
        check_index(outputs / name, titles)


def package_structured(outputs):
    folder = PROJECT / "outputs" / "structured"
    stored = StructuredModel.from_bytes((folder / "structured.npz").read_bytes())
    model = replace(stored, same=add_feature(stored.same), asked=add_feature(stored.asked))
    files = {path.name: path.read_bytes() for path in folder.glob("*.csv")}
    metadata = read_metadata(folder) | {"features": list(STRUCTURED_FEATURES)}
    save_model(outputs / "structured", files | {"structured.npz": model.to_bytes()}, metadata)
    features = model.pair_features(["Deteksi Hoaks", "Padi"], ["Deteksi Hama", "Jagung"])
    assert (features[:, 3] > 0.3).tolist() == [True, False]
    base, parts = model.contributions(features)
    np.testing.assert_allclose(sum(parts.values()) + base, model.log_odds(features))


def add_feature(trees):
    """Move the old features to their new columns, and add a tree that splits on the new one."""
    n_nodes = trees.feature.shape[1]
    leaves = np.arange(n_nodes, dtype=np.int16)[None]  # A leaf is its own child.
    old = {name: getattr(trees, name) for name in ("feature", "threshold", "left", "right", "value")}
    old["feature"] = trees.feature + (trees.feature >= 3)
    new = {name: np.zeros((1, n_nodes), values.dtype) for name, values in old.items()}
    new |= {"left": leaves.copy(), "right": leaves.copy()}
    new["feature"][0, 0], new["threshold"][0, 0] = 3, 0.3
    new["left"][0, 0], new["right"][0, 0], new["value"][0, 1:3] = 1, 2, (-4, 4)
    return BoostedTrees(trees.base, **{name: np.vstack([old[name], new[name]]) for name in old})


def check_index(folder, titles):
    checker, index = load_checker(folder).with_titles(titles), TitleIndex.build(titles, folder)
    queries = [start[:25] + end[25:] for start, end in zip(titles[::12], titles[6::12], strict=False)]
    results = (answerer.check_many(queries, top_k=5) for answerer in (checker, index))
    for expected, found in zip(*results, strict=True):
        assert expected.titles == found.titles
        np.testing.assert_array_equal(expected.features, found.features)
    assert "Awal sama" in match_table(queries[0], expected).html


if __name__ == "__main__":
    use_changed_package(Path(sys.argv[1]))
