"""Keyed hashes in place of titles and users: the same text gives the same digits with one key only."""

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from judul_lib.core.errors import LogError

KEY_VARIABLE, KEY_FILE = "JUDUL_LOG_KEY", "log.key"
HASH_DIGITS = 16
_KEY_BYTES = 32
_ID = re.compile(rf"[0-9a-f]{{{HASH_DIGITS}}}")


def log_key(folder: Path) -> bytes:
    """Return the key of the hashes: ``JUDUL_LOG_KEY``, or a file made on first use; see `secret_key`.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     has_key(Path(folder)), log_key(Path(folder)) == log_key(Path(folder)), has_key(Path(folder))
    (False, True, True)
    """
    loss = "catatan lama tidak lagi terhubung dengan yang baru"
    return secret_key(folder / KEY_FILE, KEY_VARIABLE, loss)


def secret_key(path: Path, variable: str, loss: str, backup_key: bytes | None = None) -> bytes:
    """Return the key from an environment variable, or from a file made on first use.

    Parameters
    ----------
    loss : str
        Consequence of using another key, in Indonesian.
    backup_key : bytes
        Content of the file, if it comes from a backup.

    Raises
    ------
    OSError
        The file can be neither read nor made.
    LogError
        The file contains no key.

    Examples
    --------
    >>> secret_key(Path("nowhere"), "NOT_SET", "", b"0f" * 32) == bytes([15] * 32)
    True
    """
    if passphrase := os.environ.get(variable):
        return hashlib.sha256(passphrase.encode()).digest()
    if backup_key is None and not path.exists():
        _make_key(path)
    try:
        key = bytes.fromhex((path.read_bytes() if backup_key is None else backup_key).decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise LogError(
            f"{path} rusak: isinya bukan kunci. Pulihkan dengan `judul govern restore`, atau pindahkan "
            f"berkas itu: kunci baru lalu dibuat, dan {loss}."
        )
    return key


def _make_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            stream.write(secrets.token_hex(_KEY_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
        os.link(temporary, path)
    except FileExistsError:
        pass  # Another process was first; its key counts.
    finally:
        temporary.unlink(missing_ok=True)


def has_key(folder: Path) -> bool:
    """Tell whether a key exists, without making one as `log_key` does."""
    return bool(os.environ.get(KEY_VARIABLE)) or (folder / KEY_FILE).exists()


def keyed_hash(key: bytes, text: str) -> str:
    """Return the first 16 hexadecimal digits of a text's HMAC-SHA256, ignoring case and blanks.

    Examples
    --------
    >>> keyed_hash(b"k", "Prediksi  Harga") == keyed_hash(b"k", "prediksi harga")
    True
    """
    normalized = " ".join(text.casefold().split()).encode("utf-8", "surrogatepass")
    return hmac.new(key, normalized, hashlib.sha256).hexdigest()[:HASH_DIGITS]


def user_id(text: str) -> str:
    """Return a typed pseudonym of a user as the log stores it.

    Raises
    ------
    LogError
        The text is not a pseudonym.

    Examples
    --------
    >>> user_id(" 0123456789ABCDEF ")
    '0123456789abcdef'
    """
    user = text.strip().lower()
    if not _ID.fullmatch(user):
        raise LogError(
            f"ID pengguna terdiri dari {HASH_DIGITS} digit heksadesimal (0-9 dan a-f), misalnya "
            "0123456789abcdef. Periksa ID itu; nama tidak tersimpan di log."
        )
    return user


def assigned_model(user: str, shares: Mapping[str, float]) -> str:
    """Return the model that answers a user: always the same one; each model gets its share of users.

    Parameters
    ----------
    user : str
        Pseudonym: 16 hexadecimal digits.
    shares : mapping of str to float
        Non-negative, with a positive sum.

    Examples
    --------
    >>> assigned_model("0000000000000000", {"light": 0.5, "full": 0.5})
    'light'
    """
    position = int(user[:12], 16) / 16**12 * sum(shares.values())  # 48 bits: exactly below the sum.
    for name, share in shares.items():
        position -= share
        if position < 0:
            return name
    return list(shares)[-1]
