"""``python -m judul_lib`` is the ``judul`` command."""

from judul_lib.cli.main import main

if __name__ == "__main__":
    main()
