"""The ``judul`` command. Heavy modules are imported by the commands that need them."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from judul_lib import __version__
from judul_lib.errors import CorpusError, JudulError, describe_os_error
from judul_lib.settings import ASK, ELSEWHERE_LABELS, MODEL_TITLES, SIMILAR

if TYPE_CHECKING:
    from judul_lib.checking import Checker
    from judul_lib.config import Config

_MODELS = click.Choice(list(MODEL_TITLES))
_MODEL_HELP = "Model [bawaan: structured bila papan peringkat menganjurkannya, lalu full, lalu light]."
_ELSEWHERE = click.option(
    "--elsewhere", type=click.Choice(list(ELSEWHERE_LABELS)),
    help="Penelitian serupa di tempat lain (hanya model structured) [bawaan: tanyakan].",
)  # fmt: skip


def _project() -> Path:
    """Return the folder with the notebooks: here, or where the package lies."""
    here = Path.cwd()
    return here if (here / "notebooks").is_dir() else Path(__file__).resolve().parent.parent


def _config(**overrides: Any) -> "Config":
    """Return the configuration of the folder we are in, or else the project's."""
    from judul_lib.config import find_config, load_config

    project = _project()
    file = find_config() or find_config(project)
    if file is None:
        overrides["models"] = overrides.get("models") or project / "outputs"
    return load_config(file, **overrides)


def _say(text: str) -> None:
    click.echo(text, err=True)


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

    project = _project()
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
@click.option("--model", "name", type=_MODELS, help=_MODEL_HELP)
@click.option(
    "--corpus", type=Path, help="Arsip pembanding, CSV atau XLSX [bawaan: arsip bawaan model itu]."
)
@click.option("--top", type=click.IntRange(min=1), default=10, show_default="10", help="Jumlah hasil.")
@click.option(
    "--format", "style", type=click.Choice(["table", "json", "csv"]), default="table",
    show_default="table", help="Bentuk keluaran.",
)  # fmt: skip
@_ELSEWHERE
@click.option("--models", "outputs", type=Path, help="Folder yang berisi model-model [bawaan: outputs].")
def check(
    title: str | None,
    file: Path | None,
    output: Path | None,
    name: str | None,
    corpus: Path | None,
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
    if title is not None:
        _require_words(title)
    config = _config(models=outputs and outputs.resolve(), elsewhere=elsewhere)
    chosen = _choose_model(name, config.models)
    checker = _make_checker(chosen, corpus or next(iter(config.corpora.values()), None), config)
    if title is not None:
        from judul_lib import answers

        matches = checker.check(title, top_k=top)
        click.echo(answers.show(title, matches, checker, chosen.name, style), nl=False)
    elif file is not None and output is not None:
        _check_file(file, output, checker)


def _choose_model(name: str | None, outputs: Path) -> Path:
    """Return the folder of the model asked for, or the first of those that are there."""
    from judul_lib.checkers import find_models, missing_models
    from judul_lib.registry import is_recommended

    if name is not None:
        return outputs / name
    found = find_models(outputs)
    folder = next(iter(found.values()))
    if not is_recommended(folder) and (missing := missing_models(found)):
        _say(f"Catatan: {', '.join(missing)} belum ada di {outputs}; buat dengan `make run`.")
    return folder


def _require_words(title: str) -> None:
    from judul_lib.preprocessing import preprocess_text

    if not preprocess_text(title):
        raise CorpusError(
            "Judul itu kosong atau tidak berisi kata yang dapat dibandingkan. Tulis judul lengkapnya."
        )


def _make_checker(model: Path, corpus: Path | None, config: "Config") -> "Checker":
    from judul_lib.checkers import load_checker

    titles = None
    if corpus is not None:
        from judul_lib.corpus import read_corpus
        from judul_lib.table_files import TITLE_COLUMN

        read = read_corpus(corpus, min_titles=1)
        if len(read.rejected):
            _say(f"Catatan: {len(read.rejected)} dari {read.n_rows} baris {corpus.name} tidak dipakai.")
        titles = read.titles[TITLE_COLUMN].tolist()
    return load_checker(model, titles, threshold=config.threshold, elsewhere=config.elsewhere)


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
    for row, matches in zip(usable, _with_progress(answers, len(usable)), strict=True):
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
@click.option("--model", "name", type=_MODELS, help=_MODEL_HELP)
@_ELSEWHERE
@click.option("--models", "outputs", type=Path, help="Folder yang berisi model-model [bawaan: outputs].")
def score_pairs(
    source: Path, target: Path, name: str | None, elsewhere: str | None, outputs: Path | None
) -> None:
    """Nilai pasangan judul (kolom judul_a dan judul_b), baris demi baris."""
    from judul_lib import checking
    from judul_lib.checkers import load_checker
    from judul_lib.corpus import read_table, write_frame
    from judul_lib.matches import RESULT_COLUMNS
    from judul_lib.table_files import find_column

    config = _config(models=outputs and outputs.resolve(), elsewhere=elsewhere)
    chosen = _choose_model(name, config.models)
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

    project = _project()
    config = _config(port=port, host=host, models=models and models.resolve())
    where = f"http://{config.host}:{config.port}/" + (" (dengan token)" if config.token else "")
    serve(
        config, project / "notebooks" / PAGE_NOTEBOOK,
        on_start=lambda: _say(f"Halaman: {where}. Tekan Ctrl+C untuk menghentikannya."),
    )  # fmt: skip


def _append(frame: Any, columns: Iterable[str], rows: list[dict[str, Any]]) -> None:
    for name in columns:
        frame[name] = [row[name] for row in rows]


def _say_blank(count: int) -> None:
    if count:
        _say(
            f"Catatan: {count} baris tidak berisi judul yang dapat dibandingkan; "
            "kolom hasilnya dikosongkan."
        )


def _with_progress(items: Iterable[Any], total: int) -> Iterable[Any]:
    from tqdm import tqdm

    return tqdm(items, total=total, unit="judul", leave=False, disable=None)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command; end with one line on standard error when something is wrong.

    The exit status is 0 when all went well, 2 for a wrong command line, 130
    when interrupted, and 1 for everything else.
    """
    try:
        status = cli.main(arguments, prog_name="judul", standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except click.UsageError as error:
        _say(f"Galat: {_usage_sentence(error)} Lihat `judul --help`.")
        sys.exit(2)
    except JudulError as error:
        _say(f"Galat: {error}")
    except BrokenPipeError:
        sys.stderr.close()
    except OSError as error:
        _say(f"Galat: {describe_os_error(error)}")
    except (click.Abort, KeyboardInterrupt):
        _say("Dihentikan; hasil sebelumnya tidak berubah.")
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
        return f"Perintah itu tidak ada. Pilih: {', '.join(cli.commands)}."
    if "requires" in error.message or "unexpected" in error.message.lower():
        return "Jumlah argumen tidak cocok."
    return error.message
