"""Fixtures of the tests of usage."""

import pytest

from tests.conftest import PROJECT


@pytest.fixture
def models(tmp_path):
    """A folder of models with the light one."""
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "light").symlink_to(PROJECT / "outputs" / "light")
    return folder
