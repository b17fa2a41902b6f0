"""Rebuild `lexicon_stems.csv` after a change of the lexicon or of `stems.csv`."""

from judul_lib.core.storage import csv_text, write_bytes
from judul_lib.structured.lexicon import LEXICON_STEMS_FILE, Lexicon

rows = [{"word": word, "stem": stem} for word, stem in Lexicon.read().stems().items()]
write_bytes(LEXICON_STEMS_FILE, csv_text(rows, ["word", "stem"]).encode("utf-8"))
print(f"{len(rows)} words")
