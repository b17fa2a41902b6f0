"""Named archives: titles from files and from repositories, kept beside ``judul.toml``."""
