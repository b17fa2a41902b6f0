"""The ``judul`` command. Heavy modules are imported by the commands that need them."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from judul_lib import __version__, cli_parts
from judul_lib.cli_index import index
from judul_lib.cli_parts import ELSEWHERE_OPTION, MODEL_OPTION, MODELS_OPTION, say
from judul_lib.errors import JudulError, ModelError, describe_os_error
from judul_lib.settings import ASK, SIMILAR

if TYPE_CHECKING:
    from judul_lib.checking import Checker
    from judul_lib.config import Config


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="judul", help="Tampilkan versi.")
def cli() -> None:
    """Periksa apakah judul tugas akhir terlalu mirip dengan judul yang sudah ada."""


@cli.command()
@click.option("--data", type=Path, help="CSV berkolom Judul [bawaan: data/dataset_TA.csv].")
@click.option("--out", type=Path, help="Folder artefak [bawaan: outputs].")
@click.option("--reports", type=Path, help="Folder laporan HTML [bawaan: reports].")
@click.option("--notebooks", type=Path, help="Folder notebook [bawaan: notebooks].")
@click.option(
    "-p", "--parameter", "parameters", nargs=2, multiple=True, metavar="NAMA NILAI",
    help="Nilai untuk sel parameters sebuah notebook; boleh berulang.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Jalankan semuanya walau tidak ada yang berubah.")
def run(
    data: Path | None,
    out: Path | None,
    reports: Path | None,
    notebooks: Path | None,
    parameters: tuple[tuple[str, str], ...],
    force: bool,
) -> None:
    """Jalankan semua notebook: artefak ke outputs/, laporan ke reports/."""
    from tqdm import tqdm

    from judul_lib.corpus import read_corpus
    from judul_lib.pipeline import STAGES, Paths, Stage, run_notebooks

    project = cli_parts.project_folder()
    paths = Paths(
        data=(data or project / "data" / "dataset_TA.csv").resolve(),
        notebooks=(notebooks or project / "notebooks").resolve(),
        outputs=(out or project / "outputs").resolve(),
        reports=(reports or project / "reports").resolve(),
    )
    read_corpus(paths.data)  # A bad file is refused before anything starts.
    with tqdm(total=len(STAGES), unit="notebook", leave=False, disable=None) as bar:

        def show(stage: Stage, seconds: float | None) -> None:
            if seconds is None:
                bar.set_description(stage.notebook)
                bar.n = STAGES.index(stage)
                bar.refresh()
            else:
                bar.clear()
                click.echo(f"{stage.notebook:<22} {seconds:6.1f} s".replace(".", ","))

        done = run_notebooks(
            paths, parameters={n: _value(v) for n, v in parameters}, force=force, on_stage=show
        )
    if not done:
        click.echo("Semua sudah mutakhir; tidak ada yang perlu dijalankan.")
    click.echo(f"Laporan: {paths.reports / 'index.html'}")


def _value(text: str) -> Any:
    """Read a parameter as JSON (numbers, true, false, lists), else as text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


@cli.command()
@click.argument("title", required=False, metavar="[JUDUL]")
@click.option("--file", "file", type=Path, help="CSV atau XLSX berkolom Judul: periksa semua barisnya.")
@click.option("--output", type=Path, help="CSV hasil untuk --file.")
@MODEL_OPTION
@click.option(
    "--corpus", type=Path,
    help="Arsip pembanding: CSV, XLSX, atau folder indeks [bawaan: arsip bawaan model itu].",
)  # fmt: skip
@click.option("--index", "folder", type=Path, help="Folder indeks sebagai arsip pembanding.")
@click.option("--top", type=click.IntRange(min=1), default=10, show_default="10", help="Jumlah hasil.")
@click.option(
    "--format", "style", type=click.Choice(["table", "json", "csv"]), default="table",
    show_default="table", help="Bentuk keluaran.",
)  # fmt: skip
@ELSEWHERE_OPTION
@MODELS_OPTION
def check(
    title: str | None,
    file: Path | None,
    output: Path | None,
    name: str | None,
    corpus: Path | None,
    folder: Path | None,
    top: int,
    style: str,
    elsewhere: str | None,
    outputs: Path | None,
) -> None:
    """Bandingkan sebuah JUDUL (atau berkas judul) dengan arsip."""
    if (title is None) == (file is None):
        raise click.UsageError("Berikan satu judul dalam tanda kutip, atau --file berkas.csv.")
    if (file is None) != (output is None):
        raise click.UsageError("--file dan --output harus dipakai bersama.")
    if corpus is not None and folder is not None:
        raise click.UsageError("Pilih salah satu: --corpus atau --index.")
    if title is not None:
        cli_parts.require_words(title)
    config = cli_parts.read_config(models=outputs, elsewhere=elsewhere)
    archive = folder or corpus or next(iter(config.corpora.values()), None)
    model, checker = _make_checker(name, archive, folder is not None, config)
    if title is not None:
        from judul_lib import answers

        matches = checker.check(title, top_k=top)
        click.echo(answers.show(title, matches, checker, model, style), nl=False)
    elif file is not None and output is not None:
        _check_file(file, output, checker)


def _make_checker(
    name: str | None, archive: Path | None, is_index: bool, config: "Config"
) -> tuple[str, "Checker"]:
    """Return the name of the model that answers, and the model with its archive."""
    if archive is not None:
        from judul_lib import archives

        if is_index or archives.is_index(archive):
            opened = archives.load_index(archive, config)
            if name not in (None, opened.name):
                raise ModelError(
                    f"Indeks {archive} dibangun dengan model {opened.name}, bukan {name}. "
                    f"Hapus --model, atau bangun indeks lain: `judul index build … --model {name}`."
                )
            cli_parts.note_other_model(archive, opened.name, config.models)
            return opened.name, opened
    from judul_lib.checkers import load_checker

    model, titles = cli_parts.choose_model(name, config.models), None
    if archive is not None:
        from judul_lib.table_files import TITLE_COLUMN

        titles = cli_parts.read_catalogue(archive).titles[TITLE_COLUMN].tolist()
    checker = load_checker(model, titles, threshold=config.threshold, elsewhere=config.elsewhere)
    return model.name, checker


def _check_file(file: Path, output: Path, checker: "Checker") -> None:
    from judul_lib.corpus import read_table, write_frame
    from judul_lib.matches import REMARK_COLUMN, RESULT_COLUMNS
    from judul_lib.proposals import decide_readable
    from judul_lib.storage import harmless_frame
    from judul_lib.table_files import TITLE_COLUMN, find_column

    proposals = read_table(file)
    column = find_column(list(proposals.columns), TITLE_COLUMN, file.name)
    titles = proposals.iloc[:, column].tolist()
    columns: tuple[str, ...] = RESULT_COLUMNS
    blank: dict[str, Any] = dict.fromkeys((*RESULT_COLUMNS, REMARK_COLUMN))
    usable, answers = decide_readable(titles, checker)
    rows = [blank] * len(titles)
    for row, matches in zip(usable, cli_parts.with_progress(answers, len(usable)), strict=True):
        rows[row] = matches.rows()[0]
    if any(row is not blank and REMARK_COLUMN in row for row in rows):
        columns = (*RESULT_COLUMNS, REMARK_COLUMN)
    _append(proposals, columns, rows)
    write_frame(harmless_frame(proposals), output)
    similar, ask = (sum(row["rf_label"] == name for row in rows) for name in (SIMILAR, ASK))
    click.echo(f"Dari {len(rows)} baris: {similar} MIRIP, {ask} TANYAKAN. Hasil: {output}")
    _say_blank(sum(row is blank for row in rows))


@cli.command("score-pairs")
@click.argument("source", type=Path, metavar="MASUKAN.csv")
@click.argument("target", type=Path, metavar="HASIL.csv")
@MODEL_OPTION
@ELSEWHERE_OPTION
@MODELS_OPTION
def score_pairs(
    source: Path, target: Path, name: str | None, elsewhere: str | None, outputs: Path | None
) -> None:
    """Nilai pasangan judul (kolom judul_a dan judul_b), baris demi baris."""
    from judul_lib import checking
    from judul_lib.checkers import load_checker
    from judul_lib.corpus import read_table, write_frame
    from judul_lib.matches import RESULT_COLUMNS
    from judul_lib.table_files import find_column

    config = cli_parts.read_config(models=outputs, elsewhere=elsewhere)
    chosen = cli_parts.choose_model(name, config.models)
    checker = load_checker(chosen, [], threshold=config.threshold, elsewhere=config.elsewhere)
    pairs = read_table(source)
    header = list(pairs.columns)
    left, right = (
        pairs.iloc[:, find_column(header, column, source.name)].tolist()
        for column in ("judul_a", "judul_b")
    )
    rows = checking.score_pairs(left, right, checker)
    _append(pairs, RESULT_COLUMNS[1:], rows)
    write_frame(pairs, target)
    click.echo(f"{len(rows)} pasangan dinilai: {target}")
    _say_blank(sum(row["rf_label"] is None for row in rows))


@cli.command()
@click.option("--port", type=int, help="Port halaman [bawaan: 8866, atau dari judul.toml].")
@click.option("--host", help="Alamat tempat halaman disajikan [bawaan: localhost].")
@click.option("--models", type=Path, help="Folder yang berisi model-model [bawaan: outputs].")
def app(port: int | None, host: str | None, models: Path | None) -> None:
    """Sajikan halaman pemeriksaan judul; tokennya diberikan lewat JUDUL_TOKEN."""
    from judul_lib.serving import PAGE_NOTEBOOK, serve

    project = cli_parts.project_folder()
    config = cli_parts.read_config(port=port, host=host, models=models)
    where = f"http://{config.host}:{config.port}/" + (" (dengan token)" if config.token else "")
    serve(
        config, project / "notebooks" / PAGE_NOTEBOOK,
        on_start=lambda: say(f"Halaman: {where}. Tekan Ctrl+C untuk menghentikannya."),
    )  # fmt: skip


cli.add_command(index)


def _append(frame: Any, columns: Iterable[str], rows: list[dict[str, Any]]) -> None:
    for name in columns:
        frame[name] = [row[name] for row in rows]


def _say_blank(count: int) -> None:
    if count:
        say(
            f"Catatan: {count} baris tidak berisi judul yang dapat dibandingkan; "
            "kolom hasilnya dikosongkan."
        )


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command; end with one line on standard error when something is wrong.

    The exit status is 0 when all went well, 2 for a wrong command line, 130
    when interrupted, and 1 for everything else.
    """
    try:
        status = cli.main(arguments, prog_name="judul", standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except click.exceptions.NoArgsIsHelpError as error:
        say(error.format_message())
        sys.exit(2)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "judul"
        say(f"Galat: {_usage_sentence(error)} Lihat `{command} --help`.")
        sys.exit(2)
    except JudulError as error:
        say(f"Galat: {error}")
    except BrokenPipeError:
        sys.stderr.close()
    except OSError as error:
        say(f"Galat: {describe_os_error(error)}")
    except (click.Abort, KeyboardInterrupt):
        say("Dihentikan; hasil sebelumnya tidak berubah.")
        sys.exit(130)
    sys.exit(1)


def _usage_sentence(error: click.UsageError) -> str:
    """Say click's usage errors in Indonesian."""
    param = error.param if isinstance(error, click.BadParameter) else None
    name = (param.metavar or param.opts[-1]) if param else "Argumen"
    if isinstance(error, click.NoSuchOption):
        return f"Opsi {error.option_name} tidak dikenal."
    if isinstance(error, click.MissingParameter):
        return f"{name} belum diberikan."
    if isinstance(error, click.BadParameter):
        choices = param.type if param else None
        hint = f" Pilih: {', '.join(choices.choices)}." if isinstance(choices, click.Choice) else ""
        return f"Nilai untuk {name} tidak berlaku.{hint}"
    if "No such command" in error.message:
        group = error.ctx.command if error.ctx else cli
        known = group.commands if isinstance(group, click.Group) else cli.commands
        return f"Perintah itu tidak ada. Pilih: {', '.join(known)}."
    if "requires" in error.message or "unexpected" in error.message.lower():
        return "Jumlah argumen tidak cocok."
    return error.message
