"""``judul archive``: what a MIRIP is worth in one archive, and the threshold that suits it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from judul_lib.cli import parts
from judul_lib.cli.parts import MODEL_OPTION, MODELS_OPTION, say
from judul_lib.cli.words import argument, group, option
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
    """Ukur seberapa berharga sebuah MIRIP di arsip Anda sendiri."""


@archive.command()
@argument("source", type=Path, metavar="ARSIP", help="CSV atau XLSX berkolom Judul, atau folder indeks.")
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
        for used in ("output", "sample"):
            if click.get_current_context().get_parameter_source(used) is ParameterSource.COMMANDLINE:
                raise click.UsageError(f"--{used} tidak berlaku bersama --labels.")
    config = parts.read_config(models=outputs)
    _require_place(output, config, source, force=force)
    if labels is not None:
        from judul_lib.checking.stored_gauge import require_no_gauge

        require_no_gauge(source, force=force)
    model, checker, sha256 = _open(source, name, config)
    judged = None if labels is None else _judged(labels, checker, sha256)
    surveyed = _survey(checker, titles, seed)
    click.echo(
        f"{format_number(len(surveyed.best))} dari {format_number(len(surveyed.titles))} "
        f"judul diundi; masing-masing "
        f"diperiksa terhadap semua judul lain di arsip ({MODEL_TITLES[_name(model)]})."
    )
    if judged is None:
        click.echo(_share_table(surveyed, checker.threshold))
        _give_sample(surveyed, source, sha256, output, sample, seed)
        return
    suggested = judged.suggest()
    click.echo(_judged_text(judged, suggested, checker.threshold))
    if suggested is not None:
        _store_gauge(judged, suggested, surveyed, source, model, sha256, force=force)


def _require_place(output: Path | None, config: "Config", source: Path, *, force: bool) -> None:
    """Refuse a place for the sample that is taken or would harm what is read."""
    if output is None:
        return
    from judul_lib.checking.stored_gauge import gauge_file

    parts.require_writable_output(output, config, source, gauge_file(source))
    if output.exists() and not force:
        raise OutputError(
            f"{output} sudah ada, jadi tidak ditimpa: mungkin berisi nilai Anda. Pilih nama lain, atau "
            "tambahkan --force."
        )


def _open(source: Path, name: str | None, config: "Config") -> tuple[Path, "Checker", str]:
    """Return the folder of the model, the model with the archive, and the hash of the archive."""
    from judul_lib.search import archives

    if archives.is_index(source):
        opened = parts.open_index(source, name, config)
        return opened.model, opened, opened.state or ""
    from judul_lib.checking.loading import load_checker
    from judul_lib.core.tables import TITLE_COLUMN

    model = parts.choose_model(name, config.models)
    read = parts.read_catalogue(source)
    titles = read.titles[TITLE_COLUMN].tolist()
    checker = load_checker(model, titles, threshold=config.threshold, elsewhere=config.elsewhere)
    return model, checker, read.sha256


def _name(model: Path) -> str:
    from judul_lib.checking.registry import read_metadata

    return str(read_metadata(model)["name"])


def _survey(checker: "Checker", n_titles: int, seed: int) -> "Survey":
    from tqdm import tqdm

    from judul_lib.evaluation.gauge import survey

    with tqdm(total=min(n_titles, len(checker.titles)), unit="judul", leave=False, disable=None) as bar:
        return survey(
            checker, n_titles=n_titles, random_state=seed,
            on_progress=lambda done, _: bar.update(done - bar.n),
        )  # fmt: skip


def _range(row: Any) -> str:
    """Write a share with its interval, in percent."""
    estimate, low, high = (format_number(100 * row[k], 0) for k in ("estimate", "low", "high"))
    return f"{estimate} ({low} sampai {high})"


def _share_table(surveyed: "Survey", threshold: float) -> str:
    """Write how many titles in a hundred get each answer, at several thresholds."""
    from judul_lib.evaluation.gauge import SHOWN_THRESHOLDS

    shares = surveyed.shares(sorted({*SHOWN_THRESHOLDS, threshold})).set_index(["ambang", "simpulan"])
    lines = [
        "Dari 100 judul seperti itu, sekian yang mendapat (selang 95 % dalam kurung):", "",
        f"  ambang    {SIMILAR:<22}{ASK}",
    ]  # fmt: skip
    for level in shares.index.unique("ambang"):
        same, ask = (_range(shares.loc[(level, label)]) for label in (SIMILAR, ASK))
        mark = "  <- ambang sekarang" if level == threshold else ""
        lines.append(f"  {format_number(level, 2)}      {same:<22}{ask:<20}{mark}".rstrip())
    return "\n".join([*lines, ""])


def _give_sample(
    surveyed: "Survey", source: Path, sha256: str, output: Path | None, n: int, seed: int
) -> None:
    """Write the sample to be judged, and say what to do with it."""
    if output is None:
        click.echo("Untuk tahu seberapa sering itu tepat, ulangi dengan --output SAMPEL.csv.")
        return
    from judul_lib.core.storage import write_result
    from judul_lib.evaluation.gauge import draw_sample
    from judul_lib.labeling.gauge_sample import sample_frame

    drawn = draw_sample(surveyed.pairs, n, random_state=seed)
    write_result(sample_frame(drawn, surveyed.titles, sha256), output)
    if len(drawn) < n:
        say(f"Catatan: arsip ini hanya punya {format_number(len(drawn))} pasangan untuk dinilai.")
    click.echo(
        f"{format_number(len(drawn))} pasangan untuk dinilai: {output}\n"
        "Isi kolom nilai dengan sama, sama di tempat lain, atau beda; kolom lain jangan diubah. Lalu:\n"
        f"  judul archive gauge {source} --labels {output}"
    )


def _judged(labels: Path, checker: "Checker", sha256: str) -> "JudgedSample":
    """Read a judged sample, and judge it by the model."""
    from judul_lib.evaluation.gauge import judged_sample
    from judul_lib.labeling.gauge_sample import read_sample

    read = read_sample(labels, list(checker.titles), warn=say)
    if not sha256.startswith(read["archive"][0]):
        say(
            "Catatan: isi arsip berubah sejak sampel itu diundi; banyaknya pasangan yang diwakili tiap "
            "nilai adalah yang waktu itu."
        )
    return judged_sample(checker, read)


def _judged_text(judged: "JudgedSample", suggested: "Suggestion | None", threshold: float) -> str:
    """Write what the labels tell."""
    from judul_lib.evaluation.gauge import (
        CANDIDATE_THRESHOLDS,
        CERTAIN_PROBABILITY,
        MIN_LABELS,
        TARGET_PRECISION,
    )
    from judul_lib.structured.gold import ELSEWHERE_GRADE, SIMILAR_GRADE

    grade = judged.grade[judged.is_judged]
    same, elsewhere = (grade >= SIMILAR_GRADE).sum(), (grade == ELSEWHERE_GRADE).sum()
    other = len(grade) - same - elsewhere
    lines = [
        f"{format_number(len(grade))} dari {format_number(len(judged.grade))} pasangan "
        f"dinilai: {format_number(same)} sama, "
        f"{format_number(elsewhere)} sama di tempat lain, {format_number(other)} beda."
    ]
    if judged.unseen_share > 0:
        lines.append(
            f"Yang belum dinilai mewakili {format_percent(judged.unseen_share, 0)} "
            f"pasangan yang berdekatan; "
            "recall-nya karena itu dapat terlalu tinggi."
        )
    lines += ["", *_measure_lines(judged, threshold, "ambang sekarang")]
    goal = format_percent(TARGET_PRECISION, 0)
    if suggested is None and len(grade) < MIN_LABELS:
        lines.append(f"Untuk menyarankan ambang perlu sedikitnya {format_number(MIN_LABELS)} nilai.")
    elif suggested is None:
        found = judged.precisions()["presisi"].sort_values(ascending=False, kind="stable").head(1)
        best = [
            f" Yang tertinggi {format_percent(p, 0)}, pada {format_number(t, 2)}."
            for t, p in found.items()
        ]
        lines.append(
            f"Tidak ada ambang yang membuat MIRIP tepat sedikitnya {goal} menurut nilai-nilai ini; "
            f"tidak ada yang disimpan.{''.join(best)}"
        )
    else:
        if suggested.threshold != threshold:
            lines += _measure_lines(judged, suggested.threshold, "ambang yang disarankan")
        lines.append(
            f"Ambang terendah (dicoba mulai {format_number(CANDIDATE_THRESHOLDS[0], 2)}) "
            f"yang diperkirakan membuat MIRIP "
            f"tepat sedikitnya {goal}: {format_number(suggested.threshold, 2)}. "
            f"Peluang bahwa itu benar: {format_percent(suggested.sure, 0)}."
        )
        if suggested.sure < CERTAIN_PROBABILITY:
            surer = judged.precisions().query("sure >= @CERTAIN_PROBABILITY").index[:1]
            than = "".join(
                f"Agar lebih pasti, pakai ambang {format_number(t, 2)} (--threshold), atau nilai"
                for t in surer
            )
            lines.append(
                f"{format_number(len(grade))} nilai belum cukup untuk memastikannya. "
                f"{than or 'Nilai'} sampel "
                f"yang lebih besar, misalnya --sample {format_number(3 * len(judged.grade))}."
            )
    return "\n".join(lines)


def _measure_lines(judged: "JudgedSample", threshold: float, what: str) -> list[str]:
    """Write precision and recall at a threshold."""
    found: pd.DataFrame = judged.measures(threshold)
    lines = [f"Pada {what}, {format_number(threshold, 2)} (dalam persen, selang 95 % dalam kurung):"]
    width = max(map(len, found.index))
    lines += [f"  {name:<{width}}  {_range(row)}" for name, row in found.iterrows()]
    return [*lines, ""]


def _store_gauge(
    judged: "JudgedSample",
    suggested: "Suggestion",
    surveyed: "Survey",
    source: Path,
    model: Path,
    sha256: str,
    *,
    force: bool,
) -> None:
    """Keep the threshold with the archive."""
    from judul_lib.checking.stored_gauge import StoredGauge, model_version, write_gauge
    from judul_lib.core.clock import utc_now

    def numbers(frame: "pd.DataFrame") -> dict[str, Any]:
        columns = frame[["estimate", "low", "high"]].round(4).astype(object)
        return {str(name): tuple(row) for name, row in columns.where(columns.notna(), None).iterrows()}

    shares = surveyed.shares([suggested.threshold]).set_index("simpulan")
    kept = StoredGauge(
        threshold=suggested.threshold, sure=round(suggested.sure, 4),
        n_labels=int(judged.is_judged.sum()), measures=numbers(judged.measures(suggested.threshold)),
        alarm=numbers(shares), model=_name(model), model_version=model_version(model), archive=sha256,
        date=utc_now().date().isoformat(),
    )  # fmt: skip
    path = write_gauge(kept, source, force=force)
    same, ask = (_range(shares.loc[label]) for label in (SIMILAR, ASK))
    told = f"{same} dari 100 judul mendapat MIRIP, {ask} TANYAKAN"
    click.echo(
        f"Dengan ambang itu {told}.\nDisimpan di {path}; `judul check` terhadap arsip ini memakainya "
        "sampai berkas itu dihapus."
    )
