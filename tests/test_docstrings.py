"""Docstrings document exceptions, and every public name of the package has an example that runs."""

import ast

import pytest

import judul_lib
from tests.conftest import PROJECT

MODULES = {path: path.read_text() for path in sorted((PROJECT / "judul_lib").rglob("*.py"))}


def public_functions(source):
    """Yield the public functions, without commands, whose errors are messages to the user."""
    for node in ast.parse(source).body:
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
            continue
        # What a command or a page raises is shown to people, not to callers.
        decorators = map(ast.unparse, node.decorator_list)
        if not any("command(" in text or text.startswith("router.") for text in decorators):
            yield node


@pytest.mark.parametrize("name", judul_lib.__all__)
def test_every_public_name_has_an_example(name):
    value = getattr(judul_lib, name)
    assert issubclass(value, Exception) if name.endswith("Error") else ">>> " in value.__doc__


def test_exceptions_are_documented():
    for path, source in MODULES.items():
        for node in public_functions(source):
            has_raise = any(isinstance(part, ast.Raise) and part.exc for part in ast.walk(node))
            assert not has_raise or "Raises\n" in ast.get_docstring(node), (path, node.name)


def test_no_example_is_skipped():
    assert [path for path, source in MODULES.items() if "doctest: +SKIP" in source] == []
