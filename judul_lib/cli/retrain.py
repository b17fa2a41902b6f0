"""``judul retrain``: a new version of a model from what people said of verdicts."""

from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from judul_lib.cli import parts
from judul_lib.cli.models import audit_trail, tell_switch
from judul_lib.cli.parts import MODELS_OPTION, say
from judul_lib.cli.words import argument, command, option
from judul_lib.core.formatting import number, readable
from judul_lib.core.settings import MODEL_TITLES

if TYPE_CHECKING:
    from judul_lib.core.config import Config
    from judul_lib.labeling.labels import Answers
    from judul_lib.labeling.retraining import Retrained


@command()
@argument(
    "name", type=click.Choice(list(MODEL_TITLES)), required=False, metavar="[MODEL]",
    help=f"Salah satu dari: {', '.join(MODEL_TITLES)} [bawaan: yang menjawab `judul check`].",
)  # fmt: skip
@option("--labels", "file", type=Path, help="CSV berkolom judul_a, judul_b, label.")
@option(
    "--feedback/--no-feedback", default=True,
    help="Pakai pendapat pengguna (tepat atau keliru) dari log, atau tidak [bawaan: pakai].",
)  # fmt: skip
@option(
    "--titles", type=Path,
    help="CSV berkolom Judul untuk mengenali judul yang di log hanya tersimpan sebagai hash.",
)  # fmt: skip
@option("--gold", type=Path, help="Pasangan emas [bawaan: data/gold_pairs.csv].")
@option("--promote", "wanted", is_flag=True, help="Berlakukan versi baru bila tidak lebih buruk.")
@option("--reason", default="", help="Alasan; wajib dengan --promote.")
@option("--approver", default="", help="Penyetuju; wajib dengan --promote.")
@MODELS_OPTION
def retrain(
    name: str | None,
    file: Path | None,
    feedback: bool,
    titles: Path | None,
    gold: Path | None,
    wanted: bool,
    reason: str,
    approver: str,
    outputs: Path | None,
) -> int:
    """Latih ulang MODEL dengan label baru, lalu bandingkan.

    Labelnya berasal dari pendapat pengguna dan dari CSV; pembandingnya versi yang berlaku.
    Model structured belajar dari label itu bersama pasangan nyata dan pasangan emas bagian dev;
    pembandingnya bagian test. Full dan light belajar dari korpusnya, dan dibandingkan pada semua
    pasangan emas. Studi emas yang judulnya ada di label tidak ikut dibandingkan.

    Status keluar 1 bila --promote diminta tetapi versi baru tidak diberlakukan.
    """
    if wanted and not (reason.strip() and approver.strip()):
        raise click.UsageError("--promote memerlukan --reason dan --approver.")
    from judul_lib.checking.registry import read_metadata
    from judul_lib.governance import switches, tracking
    from judul_lib.labeling import retraining
    from judul_lib.labeling.labels import Answers, read_label_file, settle

    config = parts.read_config(models=outputs)
    name = name or str(read_metadata(parts.choose_model(None, config.models)).get("name"))
    gold = gold or parts.project_folder() / "data" / "gold_pairs.csv"
    answers = Answers() if file is None else read_label_file(file, warn=say)
    if feedback:
        own = [title for left, right, _ in answers.rows for title in (left, right)]
        answers += _feedback(config, name, own, titles)
    labels = settle(answers)
    click.echo(
        f"{number(len(labels.pairs))} pasangan berlabel dari {number(labels.n_answers)} jawaban; "
        f"dilewati: {number(answers.n_unsure)} ragu, {number(answers.n_unreadable)} yang judulnya tidak "
        f"dikenal, {number(labels.n_ties)} pasangan dengan jawaban seimbang."
    )
    trail = audit_trail(config)

    def noting(made: "Retrained") -> "AbstractContextManager[None]":
        details = {
            "model": name, "version": made.version, "previous": made.previous,
            "labels": made.n_labels, "not_worse": made.not_worse,
            "old": made.comparison["old"].to_dict(), "new": made.comparison["new"].to_dict(),
            "approver": approver.strip() or "judul retrain",
        }  # fmt: skip
        why = reason.strip() or "pelatihan ulang dengan label baru"
        return trail.noting("train", reason=why, details=details)

    made = retraining.retrain(config.models, name, labels, gold, noting=noting)
    _tell_comparison(made)
    promoted = wanted and made.not_worse
    if promoted:
        entry = switches.promote(
            trail, config.models, name, made.version, reason=reason, approver=approver
        )
        tell_switch(config, name, entry)
    elif wanted:
        click.echo(
            f"Versi {made.version} disimpan tetapi tidak diberlakukan, karena bisa lebih buruk dalam "
            f"{' dan '.join(map(readable, made.doubtful))}. Versi yang berlaku tetap {made.previous}."
        )
    else:
        click.echo(
            f"Versi {made.version} disimpan dan belum diberlakukan; berlakukan dengan "
            f"`judul models promote {name} {made.version} --reason … --approver …`."
        )
    if not promoted:
        tracking.follow(config, name, say)
    return int(wanted and not promoted)


def _feedback(config: "Config", name: str, own: list[str], titles: Path | None) -> "Answers":
    """Read the log's feedback; where there is no log yet, none is made."""
    from judul_lib.checking.registry import load_titles
    from judul_lib.checking.versions import model_folder
    from judul_lib.core.pseudonyms import log_key
    from judul_lib.core.tables import TITLE_COLUMN
    from judul_lib.labeling.labels import Answers, feedback_answers
    from judul_lib.usage import database
    from judul_lib.usage.installation import has_log
    from judul_lib.usage.log import UsageLog

    url = database.database_url(config.logs)
    if not has_log(config.logs, url):
        return Answers()
    with closing(UsageLog(config.logs, warn=say)) as log:
        log.bring_in()
    known = [*load_titles(model_folder(config.models, name)), *own]
    if titles is not None:
        known += parts.read_catalogue(titles).titles[TITLE_COLUMN].tolist()
    with database.opened_database(url, warn=say) as engine:
        rows = database.read_table(engine, database.feedback)
    return feedback_answers(rows, known, log_key(config.logs))


def _tell_comparison(made: "Retrained") -> None:
    from judul_lib.labeling.retraining import DECIDING, TOLERANCE

    if made.n_strange:
        say(
            f"Catatan: {number(made.n_strange)} judul berlabel tidak ada di korpus model; dipakai apa "
            "adanya dan tidak menambah korpus."
        )
    for note in made.notes:
        say(f"Catatan: {note}")
    click.echo(
        f"Versi {made.version} dibandingkan dengan {made.previous} pada {number(made.n_gold)} pasangan "
        f"emas ({number(made.n_left_out)} disisihkan karena studinya ada di label baru):"
    )
    for metric in DECIDING:
        row = {key: number(value) for key, value in made.comparison.loc[metric].items()}
        click.echo(
            f"  {readable(metric):<11} {row['old']} → {row['new']}, selisih {row['difference']} "
            f"(95 %: {row['low']} sampai {row['high']})"
        )
    verdict = "tidak lebih buruk" if made.not_worse else "mungkin lebih buruk"
    click.echo(f"Versi baru {verdict} (batas bawah selisih paling sedikit {number(-TOLERANCE, 2)}).")
