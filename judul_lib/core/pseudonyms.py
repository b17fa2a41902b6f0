"""Keyed hashes in the place of titles and users: the same text gives the same digits, and only here."""

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
    """Return the key of the hashes: ``JUDUL_LOG_KEY``, or a file made on first use.

    Raises
    ------
    OSError
        The file can be neither read nor made.
    LogError
        What is in the file is no key.

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
    """Return the key that a variable gives, or the one in a file, made on first use.

    Parameters
    ----------
    loss : str
        What is so with another key.
    backup_key : bytes
        Content of the file, where it comes from elsewhere.

    Raises
    ------
    OSError
        The file can be neither read nor made.
    LogError
        What is in the file is no key.

    Examples
    --------
    >>> secret_key(Path("nowhere"), "NOT_SET", "", b"0f" * 32) == bytes([15] * 32)
    True
    """
    if given := os.environ.get(variable):
        return hashlib.sha256(given.encode()).digest()
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
    new = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            stream.write(secrets.token_hex(_KEY_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
        os.link(new, path)
    except FileExistsError:
        pass  # Of two processes, the first one's key counts.
    finally:
        new.unlink(missing_ok=True)


def has_key(folder: Path) -> bool:
    """Tell whether there is a key already: `log_key` would make one."""
    return bool(os.environ.get(KEY_VARIABLE)) or (folder / KEY_FILE).exists()


def keyed_hash(key: bytes, text: str) -> str:
    """Return 16 hexadecimal digits that tell nothing of a text without the key (HMAC-SHA256).

    Case and blanks do not count.

    Examples
    --------
    >>> keyed_hash(b"k", "Prediksi  Harga") == keyed_hash(b"k", "prediksi harga")
    True
    """
    plain = " ".join(text.casefold().split()).encode("utf-8", "surrogatepass")
    return hmac.new(key, plain, hashlib.sha256).hexdigest()[:HASH_DIGITS]


def user_id(text: str) -> str:
    """Return a pseudonym as the log has it.

    Raises
    ------
    LogError
        It is none.

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
    """Return the model that answers a user: always the same one, each for its share of the users.

    Parameters
    ----------
    user : str
        A pseudonym: hexadecimal digits of a hash.
    shares : mapping of str to float
        Positive or 0.

    Examples
    --------
    >>> assigned_model("0000000000000000", {"light": 0.5, "full": 0.5})
    'light'
    """
    place = int(user[:12], 16) / 16**12 * sum(shares.values())  # Exactly below the sum.
    for name, share in shares.items():
        place -= share
        if place < 0:
            return name
    return list(shares)[-1]
