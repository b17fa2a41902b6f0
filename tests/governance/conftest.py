"""Fixtures of the tests of governance."""

import pytest

from judul_lib.usage.database import opened_database


@pytest.fixture
def engine(url):
    """An empty log, in SQLite and in PostgreSQL."""
    with opened_database(url, lock_wait=30) as opened:
        yield opened
