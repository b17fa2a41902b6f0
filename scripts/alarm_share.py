"""Count alarms in real archives again: ``python scripts/alarm_share.py FOLDER``.

Run it after `scripts/real_pairs.py`, with the same folder. It takes some minutes.
"""

import sys
from pathlib import Path

import pandas as pd

from judul_lib.core.storage import sha256_of, write_bytes
from judul_lib.evaluation.real_archives import ALARM_SHARE_PATH, alarm_counts
from judul_lib.structured.gold import read_gold
from judul_lib.structured.real_pairs import RealPairs
from judul_lib.training.structured import REAL_PAIRS_PATH, campus_models

folder = Path(sys.argv[1])
archives = [pd.read_csv(folder / name) for name in ("judul_nyata.csv", "judul_kampus.csv")]
gold = read_gold(REAL_PAIRS_PATH.with_name("gold_pairs.csv")).query("split == 'dev'")
models = dict(campus_models(RealPairs.read(REAL_PAIRS_PATH), gold))
counts = alarm_counts(pd.concat(archives, ignore_index=True), models)
counts["pasangan_nyata"] = sha256_of(REAL_PAIRS_PATH.read_bytes())  # The training data of the models.
write_bytes(ALARM_SHARE_PATH, counts.to_csv(index=False, lineterminator="\n").encode())
print(counts.to_string(index=False))
