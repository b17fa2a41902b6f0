"""``judul verify-sheet``: tell whether a result sheet is as the page made it."""

from pathlib import Path

import click

from judul_lib.cli import shared
from judul_lib.cli.indonesian import argument, command
from judul_lib.cli.shared import MODELS_OPTION, print_stderr
from judul_lib.core.errors import LogError

_MAX_BYTES = 50_000_000


@command("verify-sheet")
@argument("sheet", type=Path, metavar="BERKAS.html", help="Lembar hasil yang diunduh dari halaman.")
@MODELS_OPTION
def verify_sheet(sheet: Path, outputs: Path | None) -> int:
    """Pastikan sebuah lembar hasil pemeriksaan tidak diubah.

    Keluarannya 0 bila tidak berubah, 1 bila berubah atau bukan lembar hasil.
    """
    from judul_lib.core.pseudonyms import has_key, log_key
    from judul_lib.governance.seal import SealState, check_seal

    config = shared.read_config(models=outputs)
    if sheet.stat().st_size > _MAX_BYTES:
        raise LogError(f"{sheet} terlalu besar untuk sebuah lembar hasil. Periksa nama berkasnya.")
    if not has_key(config.logs):
        raise LogError(
            f"Kunci sidik tidak ada di {config.logs}. Jalankan perintah ini di komputer yang menyajikan "
            "halaman, atau pilih foldernya dengan --models."
        )
    try:
        text = sheet.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        state = SealState.NO_SHEET
    else:
        state = check_seal(text, log_key(config.logs))
    if state is SealState.UNCHANGED:
        click.echo(f"{sheet.name} utuh: isinya sama dengan yang dibuat halaman di sini.")
        return 0
    if state is SealState.NO_SHEET:
        print_stderr(f"{sheet.name} bukan lembar hasil pemeriksaan: sidiknya tidak ada.")
    else:
        print_stderr(
            f"{sheet.name} TIDAK utuh: isinya berubah sejak dibuat, atau dibuat di komputer lain. "
            "Mintalah berkas yang diunduh langsung dari halaman."
        )
    return 1
