"""Rebuild `data/real_pairs.npz` from the real titles: ``python scripts/real_pairs.py FOLDER``.

The folder holds ``pasangan_nyata.csv`` and the archives ``judul_nyata.csv`` and ``judul_kampus.csv``,
which are not part of the project. The pairs graded for the project are in `data/real_grades.csv`.
"""

import sys
from pathlib import Path

import pandas as pd

from judul_lib.core.storage import write_bytes
from judul_lib.structured.real_pairs import (
    REAL_GRADES_FILE,
    REAL_PAIRS_FILE,
    attach_titles,
    published_counts,
    real_pairs_from_columns,
)
from judul_lib.structured.records import UnitCounts
from judul_lib.training.structured import unfitted_model

folder, data = Path(sys.argv[1]), Path(__file__).parents[1] / "data"
archives = [pd.read_csv(folder / name) for name in ("judul_nyata.csv", "judul_kampus.csv")]
titles = pd.concat(archives)["Judul"].astype(str).tolist()
model = unfitted_model(UnitCounts())
terms = {canonical for canonical, _ in model.parser.lexicon.variants.values()}
counts = published_counts(UnitCounts.fit(titles, model.parser), terms | model.parser.lexicon.places)
graded = attach_titles(pd.read_csv(data / REAL_GRADES_FILE), titles)
pairs = pd.concat([pd.read_csv(folder / "pasangan_nyata.csv"), graded], ignore_index=True)
features = unfitted_model(counts).pair_features(pairs["judul_a"].tolist(), pairs["judul_b"].tolist())
target = data / REAL_PAIRS_FILE
write_bytes(target, real_pairs_from_columns(pairs.to_dict("list"), features, counts).to_bytes())
print(f"{len(pairs)} pairs, {len(counts.counts)} terms, {target.stat().st_size} bytes")
