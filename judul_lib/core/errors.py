"""Exceptions whose text a student can act on: what is wrong, and what to do (in Indonesian)."""

import errno
import os


class JudulError(Exception):
    """Base of every error the package raises on purpose."""


class ArgumentError(JudulError, ValueError):
    """A value given in Python is none that can be used."""


class CorpusError(JudulError):
    """A file of titles cannot be used."""


class TrainingError(JudulError):
    """The labelled pairs do not suffice to train or evaluate a model."""


class ModelError(JudulError):
    """A model folder is missing, incomplete or not what its metadata say."""


class LexiconError(JudulError):
    """The lexicon contradicts itself or is not in its form."""


class GoldError(JudulError):
    """The file of gold pairs contradicts itself or is not in its form."""


class LabelError(JudulError):
    """A file of labelled pairs is not in its form, or there is no label to learn from."""


class GaugeError(JudulError):
    """What is kept of an archive's own gauge is damaged or in the way, or labels do not belong to it."""


class PipelineError(JudulError):
    """A notebook failed, or the folder that a run needs is not there."""


class IndexFileError(JudulError):
    """An index is missing, damaged, or made by another version or model."""


class OutputError(JudulError):
    """A result may not be written to the place that was asked for."""


class WorkerError(JudulError):
    """A process or a cluster that was to do the work is not there or went away."""


class BusyError(JudulError):
    """Another process is at work on the same files."""


class ConfigError(JudulError):
    """``judul.toml`` or an environment variable has a key or value that cannot be used."""


class LogError(JudulError):
    """The database of the log cannot be used, or is not what it should be."""


class TrackingError(JudulError):
    """MLflow is not installed, or its store cannot be used."""


class ServeError(JudulError):
    """The page cannot be served in the way asked for."""


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
