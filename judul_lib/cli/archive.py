"""``judul archive gauge``: how precise MIRIP is in one archive, and the threshold that suits it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from judul_lib.cli import shared
from judul_lib.cli.indonesian import argument, group, option
from judul_lib.cli.shared import MODEL_OPTION, MODELS_OPTION, print_stderr, title_choice_options
from judul_lib.core.errors import OutputError
from judul_lib.core.formatting import format_number, format_percent
from judul_lib.core.settings import ASK, MODEL_TITLES, SEED, SIMILAR

if TYPE_CHECKING:
    import pandas as pd

    from judul_lib.checking.checker import Checker
    from judul_lib.core.config import Config
    from judul_lib.evaluation.gauge import JudgedSample, Suggestion, Survey


@group()
def archive() -> None:
    """Simpan arsip bernama, panen repositori, dan ukur MIRIP."""


@archive.command()
@argument("source", type=Path, metavar="ARSIP", help="CSV atau buku kerja, atau folder indeks.")
@title_choice_options
@MODEL_OPTION
@MODELS_OPTION
@option("--titles", type=click.IntRange(min=20), default=300, help="Judul yang diundi [bawaan: 300].")
@option("--sample", type=click.IntRange(min=20), default=50, help="Pasangan untuk dinilai [bawaan: 50].")
@option("--output", type=Path, help="CSV untuk sampel yang akan dinilai.")
@option("--labels", type=Path, help="CSV sampel yang kolom nilainya sudah diisi.")
@option("--seed", type=click.IntRange(min=0), default=SEED, help=f"Benih undian [bawaan: {SEED}].")
@option("--force", is_flag=True, help="Ganti sampel atau hasil ukur yang sudah ada.")
def gauge(
    source: Path,
    name: str | None,
    outputs: Path | None,
    titles: int,
    sample: int,
    output: Path | None,
    labels: Path | None,
    seed: int,
    force: bool,
) -> None:
    """Ukur seberapa tepat MIRIP di sebuah arsip.

    Tanpa --labels: judul yang diundi diperiksa terhadap semua judul lain di arsip, dan --output
    menyimpan sampel pasangan untuk Anda nilai. Dengan --labels: presisi, recall, dan ambang yang
    cocok, yang disimpan bersama arsip dan lalu dipakai oleh `judul check`.
    """
    if labels is not None:
        for parameter in ("output", "sample"):
            origin = click.get_current_context().get_parameter_source(parameter)
            if origin is ParameterSource.COMMANDLINE:
                raise click.UsageError(f"--{parameter} tidak berlaku bersama --labels.")
    config = shared.read_config(models=outputs)
    if output is not None:
        _require_free_output(output, config, source, force=force)
    if labels is not None:
        from judul_lib.checking.stored_gauge import require_no_gauge

        require_no_gauge(source, force=force)
    model, checker, sha256 = _open_archive(source, name, config)
    judged = None if labels is None else _read_judged_sample(labels, checker, sha256)
    survey = _run_survey(checker, titles, seed)
    click.echo(
        f"{format_number(len(survey.best))} dari {format_number(len(survey.titles))} judul diundi; "
        "masing-masing diperiksa terhadap semua judul lain di arsip "
        f"({MODEL_TITLES[shared.model_name(model)]})."
    )
    if judged is None:
        click.echo(_format_shares(survey, checker.threshold))
        if output is None:
            click.echo("Untuk tahu seberapa sering itu tepat, ulangi dengan --output SAMPEL.csv.")
        else:
            _write_sample(survey, source, sha256, output, sample, seed)
        return
    suggestion = judged.suggest()
    click.echo(_format_judged(judged, suggestion, checker.threshold))
    if suggestion is not None:
        _store_gauge(judged, suggestion, survey, source, model, sha256, force=force)


def _require_free_output(output: Path, config: "Config", source: Path, *, force: bool) -> None:
    """Refuse a path for the sample that exists or would overwrite an input."""
    from judul_lib.checking.stored_gauge import gauge_file

    shared.require_writable_output(output, config, source, gauge_file(source))
    if output.exists() and not force:
        raise OutputError(
            f"{output} sudah ada, jadi tidak ditimpa: mungkin berisi nilai Anda. Pilih nama lain, atau "
            "tambahkan --force."
        )


def _open_archive(source: Path, name: str | None, config: "Config") -> tuple[Path, "Checker", str]:
    """Return the folder of the model, a checker for the archive, and the archive's hash."""
    from judul_lib.search import archives

    if archives.is_index(source):
        index = shared.open_index(source, name, config)
        return index.model, index, index.state or ""
    from judul_lib.checking.loading import load_checker
    from judul_lib.core.columns import TITLE_COLUMN

    model = shared.choose_model(name, config.models)
    corpus = shared.read_corpus(source)
    titles = corpus.titles[TITLE_COLUMN].tolist()
    checker = load_checker(model, titles, threshold=config.threshold, elsewhere=config.elsewhere)
    return model, checker, corpus.sha256


def _run_survey(checker: "Checker", n_titles: int, seed: int) -> "Survey":
    from tqdm import tqdm

    from judul_lib.evaluation.gauge import survey

    with tqdm(total=min(n_titles, len(checker.titles)), unit="judul", leave=False, disable=None) as bar:
        return survey(
            checker, n_titles=n_titles, random_state=seed,
            on_progress=lambda done, _: bar.update(done - bar.n),
        )  # fmt: skip


def _format_interval(row: Any) -> str:
    """Format a share and its interval in percent."""
    estimate, low, high = (format_number(100 * row[k], 0) for k in ("estimate", "low", "high"))
    return f"{estimate} ({low} sampai {high})"


def _format_shares(survey: "Survey", threshold: float) -> str:
    """Format how many titles in a hundred get each answer, at several thresholds."""
    from judul_lib.evaluation.gauge import SHOWN_THRESHOLDS

    shares = survey.shares(sorted({*SHOWN_THRESHOLDS, threshold})).set_index(["ambang", "simpulan"])
    lines = [
        "Dari 100 judul seperti itu, sekian yang mendapat (selang 95 % dalam kurung):", "",
        f"  ambang    {SIMILAR:<22}{ASK}",
    ]  # fmt: skip
    for level in shares.index.unique("ambang"):
        same, ask = (_format_interval(shares.loc[(level, label)]) for label in (SIMILAR, ASK))
        mark = "  <- ambang sekarang" if level == threshold else ""
        lines.append(f"  {format_number(level, 2)}      {same:<22}{ask:<20}{mark}".rstrip())
    return "\n".join([*lines, ""])


def _write_sample(
    survey: "Survey", source: Path, sha256: str, output: Path, n_pairs: int, seed: int
) -> None:
    """Write the sample of pairs to be judged, and explain how to use it."""
    from judul_lib.core.storage import write_result
    from judul_lib.evaluation.gauge import draw_sample
    from judul_lib.labeling.gauge_sample import sample_frame

    pairs = draw_sample(survey.pairs, n_pairs, random_state=seed)
    write_result(sample_frame(pairs, survey.titles, sha256), output)
    n_drawn = format_number(len(pairs))
    if len(pairs) < n_pairs:
        print_stderr(f"Catatan: arsip ini hanya punya {n_drawn} pasangan untuk dinilai.")
    click.echo(
        f"{n_drawn} pasangan untuk dinilai: {output}\n"
        "Isi kolom nilai dengan sama, sama di tempat lain, atau beda; kolom lain jangan diubah. Lalu:\n"
        f"  judul archive gauge {source} --labels {output}"
    )


def _read_judged_sample(labels: Path, checker: "Checker", sha256: str) -> "JudgedSample":
    """Read a judged sample, and score its pairs with the model."""
    from judul_lib.evaluation.gauge import judged_sample
    from judul_lib.labeling.gauge_sample import read_sample

    sample = read_sample(labels, list(checker.titles), warn=print_stderr)
    if not sha256.startswith(sample["archive"][0]):
        print_stderr(
            "Catatan: isi arsip berubah sejak sampel itu diundi; banyaknya pasangan yang diwakili tiap "
            "nilai adalah yang waktu itu."
        )
    return judged_sample(checker, sample)


def _format_judged(judged: "JudgedSample", suggestion: "Suggestion | None", threshold: float) -> str:
    """Format precision and recall according to the labels, and the suggested threshold."""
    from judul_lib.evaluation.gauge import (
        CANDIDATE_THRESHOLDS,
        CERTAIN_PROBABILITY,
        MIN_LABELS,
        TARGET_PRECISION,
    )
    from judul_lib.structured.gold import ELSEWHERE_GRADE, SIMILAR_GRADE

    grade = judged.grade[judged.is_judged]
    n_same, n_elsewhere = (grade >= SIMILAR_GRADE).sum(), (grade == ELSEWHERE_GRADE).sum()
    n_different = len(grade) - n_same - n_elsewhere
    lines = [
        f"{format_number(len(grade))} dari {format_number(len(judged.grade))} pasangan dinilai: "
        f"{format_number(n_same)} sama, {format_number(n_elsewhere)} sama di tempat lain, "
        f"{format_number(n_different)} beda."
    ]
    if judged.unseen_share > 0:
        lines.append(
            f"Yang belum dinilai mewakili {format_percent(judged.unseen_share, 0)} "
            "pasangan yang berdekatan; recall-nya karena itu dapat terlalu tinggi."
        )
    lines += ["", *_measure_lines(judged, threshold, "ambang sekarang")]
    target = format_percent(TARGET_PRECISION, 0)
    if suggestion is None and len(grade) < MIN_LABELS:
        lines.append(f"Untuk menyarankan ambang perlu sedikitnya {format_number(MIN_LABELS)} nilai.")
    elif suggestion is None:
        highest = ""
        precision = judged.precisions()["presisi"]
        if len(precision):
            maximum = format_percent(precision.max(), 0)
            highest = f" Yang tertinggi {maximum}, pada {format_number(precision.idxmax(), 2)}."
        lines.append(
            f"Tidak ada ambang yang membuat MIRIP tepat sedikitnya {target} menurut nilai-nilai ini; "
            f"tidak ada yang disimpan.{highest}"
        )
    else:
        if suggestion.threshold != threshold:
            lines += _measure_lines(judged, suggestion.threshold, "ambang yang disarankan")
        lines.append(
            f"Ambang terendah (dicoba mulai {format_number(CANDIDATE_THRESHOLDS[0], 2)}) "
            f"yang diperkirakan membuat MIRIP tepat sedikitnya {target}: "
            f"{format_number(suggestion.threshold, 2)}. "
            f"Peluang bahwa itu benar: {format_percent(suggestion.sure, 0)}."
        )
        if suggestion.sure < CERTAIN_PROBABILITY:
            sure = judged.precisions()["sure"]
            certain = sure.index[sure >= CERTAIN_PROBABILITY]
            advice = "Nilai"
            if len(certain):
                advice = (
                    f"Agar lebih pasti, pakai ambang {format_number(certain[0], 2)} (--threshold), "
                    "atau nilai"
                )
            lines.append(
                f"{format_number(len(grade))} nilai belum cukup untuk memastikannya. {advice} sampel "
                f"yang lebih besar, misalnya --sample {format_number(3 * len(judged.grade))}."
            )
    return "\n".join(lines)


def _measure_lines(judged: "JudgedSample", threshold: float, threshold_name: str) -> list[str]:
    """Format precision and recall at a threshold."""
    measures: pd.DataFrame = judged.measures(threshold)
    width = max(map(len, measures.index))
    return [
        f"Pada {threshold_name}, {format_number(threshold, 2)} "
        "(dalam persen, selang 95 % dalam kurung):",
        *(f"  {name:<{width}}  {_format_interval(row)}" for name, row in measures.iterrows()),
        "",
    ]


def _store_gauge(
    judged: "JudgedSample",
    suggestion: "Suggestion",
    survey: "Survey",
    source: Path,
    model: Path,
    sha256: str,
    *,
    force: bool,
) -> None:
    """Store the suggested threshold beside the archive."""
    from judul_lib.checking.stored_gauge import StoredGauge, model_version, write_gauge
    from judul_lib.core.clock import utc_now

    def intervals(frame: "pd.DataFrame") -> dict[str, Any]:
        columns = frame[["estimate", "low", "high"]].round(4).astype(object)
        return {str(name): tuple(row) for name, row in columns.where(columns.notna(), None).iterrows()}

    threshold = suggestion.threshold
    shares = survey.shares([threshold]).set_index("simpulan")
    stored = StoredGauge(
        threshold=threshold, sure=round(suggestion.sure, 4), n_labels=int(judged.is_judged.sum()),
        measures=intervals(judged.measures(threshold)), alarm=intervals(shares),
        model=shared.model_name(model), model_version=model_version(model), archive=sha256,
        date=utc_now().date().isoformat(),
    )  # fmt: skip
    path = write_gauge(stored, source, force=force)
    same, ask = (_format_interval(shares.loc[label]) for label in (SIMILAR, ASK))
    click.echo(
        f"Dengan ambang itu {same} dari 100 judul mendapat MIRIP, {ask} TANYAKAN.\n"
        f"Disimpan di {path}; `judul check` terhadap arsip ini memakainya sampai berkas itu dihapus."
    )
