"""Docstrings say what is raised, and the public face of the package is seen at work."""

import ast

import pytest

import judul_lib
from tests.conftest import PROJECT

MODULES = {path: path.read_text() for path in sorted((PROJECT / "judul_lib").rglob("*.py"))}


def public(module):
    """The public functions of a module; what a command raises its user sees."""
    for node in ast.parse(MODULES[module]).body:
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
            continue
        if not any("command(" in ast.unparse(decorator) for decorator in node.decorator_list):
            yield node


@pytest.mark.parametrize("name", judul_lib.__all__)
def test_what_the_package_offers_has_an_example(name):
    offered = getattr(judul_lib, name)
    assert issubclass(offered, Exception) if name.endswith("Error") else ">>> " in offered.__doc__


def test_what_is_raised_is_told():
    for module in MODULES:
        for node in public(module):
            raises = any(isinstance(part, ast.Raise) and part.exc for part in ast.walk(node))
            assert not raises or "Raises\n" in ast.get_docstring(node), (module, node.name)


def test_no_example_is_skipped():
    assert [module for module, text in MODULES.items() if "doctest: +SKIP" in text] == []
