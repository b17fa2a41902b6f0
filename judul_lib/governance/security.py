"""The security item of the checklist: barriers are tried out with input that they must refuse."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from judul_lib.checking.registry import METADATA_FILE, read_metadata, verified_files
from judul_lib.core.errors import CorpusError, ModelError
from judul_lib.core.pseudonyms import KEY_FILE
from judul_lib.core.storage import write_bytes, write_result
from judul_lib.governance import audit
from judul_lib.study.corpus import parse_corpus

_FORMULA = '=HYPERLINK("http://contoh.id")'


def failed_barriers(models: Mapping[str, Path], logs: Path) -> list[str]:
    """Return an Indonesian sentence for each barrier that does not hold.

    Parameters
    ----------
    models : mapping of str to path
        Folders of the models in use, which are copied and altered, but not changed.
    logs : path
        Folder of the log, whose keys only their owner may read.

    Examples
    --------
    >>> failed_barriers({"light": Path("outputs/light")}, Path("no-log"))
    []
    """
    failed = [
        f"{path} dapat dibaca orang lain; jalankan `chmod 600 {path}`."
        for path in (logs / KEY_FILE, logs / audit.KEY_FILE)
        if os.name == "posix" and path.exists() and path.stat().st_mode & 0o077
    ]
    if not _refuses_invalid_files():
        failed.append("Berkas judul yang terlalu panjang atau bukan tabel diterima.")
    if not _escapes_formulas():
        failed.append("Rumus dalam judul ditulis ke CSV tanpa dinonaktifkan.")
    failed += [
        f"Model {name} yang berkasnya diubah tetap diterima."
        for name, folder in models.items()
        if not _refuses_altered_model(folder)
    ]
    return failed


def _refuses_invalid_files() -> bool:
    too_long = b"Judul\n" + b"".join(b"Prediksi Harga %d\n" % k for k in range(4))
    for content in (too_long, b"PK\x03\x04\0\0", b"\0\0\0"):
        try:
            parse_corpus(content, "judul.csv", max_rows=3)
        except CorpusError:
            continue
        return False
    return True


def _escapes_formulas() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hasil.csv"
        write_result(pd.DataFrame({"Judul": [_FORMULA]}), path)
        return str(pd.read_csv(path, encoding="utf-8-sig").loc[0, "Judul"]) == f"'{_FORMULA}"


def _refuses_altered_model(folder: Path) -> bool:
    """Verify a copy of which one byte of one file is changed."""
    metadata = read_metadata(folder)
    files = sorted(metadata["files"])
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / str(metadata["name"])
        for file in (METADATA_FILE, *files):
            content = (folder / file).read_bytes()
            is_altered = file == files[-1]
            write_bytes(copy / file, content[:-1] + bytes([content[-1] ^ 1]) if is_altered else content)
        try:
            verified_files(copy)
        except ModelError:
            return True
    return False
