"""Exceptions whose text a student can act on: what is wrong, and what to do (in Indonesian)."""

import errno
import os


class JudulError(Exception):
    """Base of every error the package raises on purpose."""


class ArgumentError(JudulError, ValueError):
    """An argument of a Python call is invalid."""


class TitleError(JudulError):
    """A title cannot be checked: it is empty, too long, or has too few words."""


class CorpusError(JudulError):
    """A file of titles cannot be used."""


class MissingChoiceError(CorpusError):
    """A file has no column or no sheet of the name that the user has chosen."""


class ColumnChoiceError(CorpusError):
    """Several columns could hold the titles.

    Parameters
    ----------
    file_name : str
    columns : list of str
        Their names, in the order of the file.
    samples : list of str
        The first cells of each, as text.
    """

    def __init__(self, file_name: str, columns: list[str], samples: list[str] | None = None) -> None:
        self.file_name, self.columns, self.samples = file_name, columns, samples or []
        shown = [f"'{name}'" for name in columns]
        if samples:
            shown = [f"{name} ({sample})" for name, sample in zip(shown, samples, strict=True)]
        super().__init__(
            f"{file_name} berisi beberapa kolom judul: {'; '.join(shown)}. "
            f'Pilih salah satu dengan --column, misalnya --column "{columns[0]}", '
            "atau namai kolomnya 'Judul'."
        )


class SheetChoiceError(CorpusError):
    """Several sheets with different headers hold titles.

    Parameters
    ----------
    file_name : str
    sheets : list of str
    """

    def __init__(self, file_name: str, sheets: list[str]) -> None:
        self.file_name, self.sheets = file_name, sheets
        shown = ", ".join(f"'{name}'" for name in sheets)
        super().__init__(
            f"{file_name} berisi beberapa lembar judul dengan kolom yang berbeda: {shown}. "
            f'Pilih salah satu dengan --sheet, misalnya --sheet "{sheets[0]}".'
        )


class TrainingError(JudulError):
    """There are too few labelled pairs to train or evaluate a model."""


class ModelError(JudulError):
    """A model folder is missing, incomplete or not what its metadata say."""


class LexiconError(JudulError):
    """The lexicon contradicts itself or has the wrong format."""


class GoldError(JudulError):
    """The file of gold pairs contradicts itself or has the wrong format."""


class LabelError(JudulError):
    """A file of labelled pairs has the wrong format, or there is no label to learn from."""


class GaugeError(JudulError):
    """The stored gauge of an archive is damaged or already exists, or labels are not of that archive."""


class PipelineError(JudulError):
    """A notebook failed, or a folder that a run needs is missing."""


class IndexFileError(JudulError):
    """An index is missing, damaged, or made by another version or model."""


class ArchiveError(JudulError):
    """A named archive is missing or damaged, or a repository cannot be harvested."""


class FewerTitlesError(ArchiveError):
    """A source has fewer titles than it gave an archive before.

    Parameters
    ----------
    archive, source : str
        Names of the archive and of the file.
    n_now, n_before : int
        Titles of the source.
    n_lost : int
        Titles that the archive would lose.
    """

    def __init__(self, archive: str, source: str, *, n_now: int, n_before: int, n_lost: int) -> None:
        self.archive, self.source = archive, source
        self.n_now, self.n_before, self.n_lost = n_now, n_before, n_lost
        now, before, lost = (f"{n:,}".replace(",", ".") for n in (n_now, n_before, n_lost))
        super().__init__(
            f"{source} kini berisi {now} judul, sebelumnya {before}; {lost} judul akan hilang dari "
            f"arsip {archive}. Periksa berkas itu, atau tambahkan --force."
        )


class OutputError(JudulError):
    """A result may not be written to the requested path."""


class WorkerError(JudulError):
    """A worker process or a cluster is unreachable or died."""


class BusyError(JudulError):
    """Another process is using the same files."""


class UploadSizeError(CorpusError):
    """An uploaded file is larger than allowed."""


class JobError(JudulError):
    """There is no such job (any more), or it has no result."""


class ConfigError(JudulError):
    """``judul.toml`` or an environment variable has an invalid key or value."""


class LogError(JudulError):
    """The database of the log cannot be used, or is damaged."""


class TrackingError(JudulError):
    """MLflow is not installed, or its store cannot be used."""


class ServeError(JudulError):
    """The page cannot be served with these settings."""


_OS_MESSAGES = {
    errno.ENOSPC: "Ruang disk habis{where}. Kosongkan disk atau pilih folder lain, lalu ulangi.",
    errno.EDQUOT: "Kuota disk habis{where}. Kosongkan disk atau pilih folder lain, lalu ulangi.",
    errno.EACCES: "Tidak ada izin{where}. Periksa hak akses berkas atau folder itu.",
    errno.EPERM: "Tidak ada izin{where}. Periksa hak akses berkas atau folder itu.",
    errno.EROFS: "Folder tujuan hanya bisa dibaca{where}. Pilih folder lain.",
    errno.ENOENT: "Berkas tidak ditemukan{where}. Periksa nama dan foldernya.",
    errno.EISDIR: "Yang diberikan adalah folder, bukan berkas{where}. Berikan nama berkasnya.",
    errno.ENOTDIR: "Bagian dari nama folder itu adalah berkas{where}. Pilih folder lain.",
    errno.EEXIST: "Sudah ada berkas dengan nama itu{where}. Pilih nama lain.",
    errno.ENAMETOOLONG: "Nama berkas terlalu panjang{where}. Pilih nama yang lebih pendek.",
}


def describe_os_error(error: OSError) -> str:
    """Return one Indonesian sentence for an operating-system error.

    Examples
    --------
    >>> describe_os_error(OSError(28, "No space left on device"))
    'Ruang disk habis. Kosongkan disk atau pilih folder lain, lalu ulangi.'
    """
    where = f": {os.fspath(error.filename)}" if isinstance(error.filename, str | os.PathLike) else ""
    template = _OS_MESSAGES.get(error.errno or 0)
    if template is None:
        return f"Sistem menolak{where} ({error.strerror or error}). Periksa berkas dan foldernya."
    return template.format(where=where)
