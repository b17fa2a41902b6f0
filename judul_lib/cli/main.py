"""The ``judul`` command. Heavy modules are imported by the commands that need them."""

import io
import re
import sys
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import NoReturn

import click

from judul_lib import __version__
from judul_lib.cli import shared
from judul_lib.cli.accounts import keys, users
from judul_lib.cli.archives import archive
from judul_lib.cli.book import book
from judul_lib.cli.check import check, score_pairs
from judul_lib.cli.decisions import decisions
from judul_lib.cli.dedup import dedup
from judul_lib.cli.govern import govern
from judul_lib.cli.index import index
from judul_lib.cli.indonesian import describe_usage_error, group, option
from judul_lib.cli.models import models, retrain
from judul_lib.cli.monitor import monitor, simulate
from judul_lib.cli.run import run
from judul_lib.cli.shared import print_stderr
from judul_lib.cli.verify_sheet import verify_sheet
from judul_lib.core.errors import JudulError, describe_os_error


@group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="judul %(version)s", help="Tampilkan versi.")
def cli() -> None:
    """Periksa apakah judul tugas akhir terlalu mirip dengan judul yang sudah ada."""


for _command in (
    run, check, score_pairs, archive, index, dedup, decisions, users, keys, models, retrain, monitor,
    simulate, govern, verify_sheet, book,
):  # fmt: skip
    cli.add_command(_command)


@cli.command()
@option("--port", type=int, help="Port halaman [bawaan: 8866, atau dari judul.toml].")
@option("--host", metavar="ALAMAT", help="Alamat tempat halaman disajikan [bawaan: localhost].")
@shared.MODELS_OPTION
def app(port: int | None, host: str | None, outputs: Path | None) -> None:
    """Sajikan halaman pemeriksaan judul dan antarmuka HTTP.

    Selain di localhost, halaman dilindungi: token lewat JUDUL_TOKEN, pengguna dari `judul users`,
    atau masuk tunggal kampus.
    """
    from judul_lib.web.server import serve

    config = shared.read_config(port=port, host=host, models=outputs)
    address = f"http://{config.host}:{config.port}/" + (" (dengan token)" if config.token else "")
    serve(
        config,
        on_start=lambda: print_stderr(f"Halaman: {address}. Tekan Ctrl+C untuk menghentikannya."),
    )


def extra_with(module: str) -> str | None:
    """Return the extra of this package that installs a module, or None.

    Examples
    --------
    >>> extra_with("sklearn"), extra_with("fastapi.routing"), extra_with("judul_lib.nothing")
    ('train', 'app', None)
    """
    top = module.partition(".")[0]
    if top == "judul_lib":
        return None
    distribution = {"sklearn": "scikit-learn", "argon2": "argon2-cffi"}.get(top, top.replace("_", "-"))
    try:
        requirements = requires("judul-lib") or []
    except PackageNotFoundError:  # It runs from its folder.
        return None
    for line in requirements:
        requirement, _, marker = line.partition(";")
        if re.match(r"[\w-]+", requirement)[0] == distribution and (  # type: ignore[index]
            extra := re.search(r"extra == ['\"](\w+)", marker)
        ):
            return extra[1]
    return None


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command and exit; an error becomes one line on standard error.

    The exit status is 0 on success, 2 for a wrong command line, 130
    when interrupted, and 1 for any other error.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # File names may contain bytes that are not valid text.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = cli.main(arguments, prog_name="judul", standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(2)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "judul"
        print_stderr(f"Galat: {describe_usage_error(error)} Lihat `{command} --help`.")
        sys.exit(2)
    except JudulError as error:
        print_stderr(f"Galat: {error}")
    except BrokenPipeError:
        sys.stderr.close()
    except OSError as error:
        print_stderr(f"Galat: {describe_os_error(error)}")
    except ModuleNotFoundError as error:
        if (extra := extra_with(error.name or "")) is None:
            raise
        print_stderr(
            f"Galat: Perintah ini memerlukan {error.name}, yang tidak terpasang. "
            f'Pasang dengan `pip install "judul-lib[{extra}]"`, atau semuanya dengan `make install`.'
        )
    except (click.Abort, KeyboardInterrupt):  # Abort is a RuntimeError.
        print_stderr("Dihentikan; hasil sebelumnya tidak berubah.")
        sys.exit(130)
    except RuntimeError as error:  # Python before 3.13 raises it for circular symbolic links.
        if not str(error).startswith("Symlink loop"):
            raise
        print_stderr(
            f"Galat: Tautan itu menunjuk dirinya sendiri ({error}). Berikan nama berkas yang sebenarnya."
        )
    sys.exit(1)
