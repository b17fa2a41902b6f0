"""Rewrite the path file of the editable install in ASCII; `make install` runs this.

Python decodes path files with the locale's encoding and does not start if that fails, as with
``LC_ALL=C`` and a folder whose name is not ASCII. A line of code can escape such a name.

Run with ``-S``, so that path files are not read.
"""

import sys
from pathlib import Path

library = Path("lib", "python{}.{}".format(*sys.version_info), "site-packages")
path = Path(sys.executable).parent.parent / library / "judul_lib.pth"
folder = path.read_bytes().decode("utf-8").strip()
if not folder.isascii():
    path.write_bytes(f"import sys; sys.path.append({folder!a})\n".encode("ascii"))
