"""Write the path file of the editable install in ASCII; `make install` does so.

Python reads such a file in the encoding of the locale, and does not start where it can't: with
``LC_ALL=C`` in a folder whose name is not ASCII. In a line of code the name can be written in ASCII.

Run with ``-S``, which leaves path files unread.
"""

import sys
from pathlib import Path

library = Path("lib", "python{}.{}".format(*sys.version_info), "site-packages")
path = Path(sys.executable).parent.parent / library / "judul_lib.pth"
folder = path.read_bytes().decode("utf-8").strip()
if not folder.isascii():
    path.write_bytes(f"import sys; sys.path.append({folder!a})\n".encode("ascii"))
