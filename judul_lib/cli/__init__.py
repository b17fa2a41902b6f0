"""The ``judul`` command, one module a group."""
