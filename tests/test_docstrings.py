"""Every public function and class is seen at work: in an example that is run, or in a notebook."""

import ast
import doctest
import re

import nbformat

from tests.conftest import PROJECT

MODULES = {
    ".".join(path.relative_to(PROJECT / "judul_lib").with_suffix("").parts): path.read_text()
    for path in sorted((PROJECT / "judul_lib").rglob("*.py"))
}
# Modules of which not all is seen so, and where it is seen instead.
ELSEWHERE = {
    "in the commands of the documents, which test_documents.py runs": """
        cli cli_govern cli_models cli_parts cli_words notebook_runner pipeline reports""",
    "in a browser or asked by programs: test_page_browser.py, test_page_server.py": """
        page page_handlers proposals_panel serving session title_panel widgets""",
    "in an installation, which notebooks 08 and 09 try on a copy": """
        audit audit_chain backup compliance database installation_log log_copies monitoring privacy
        promotions spool sqlite_file storage switches tracking usage_log versions""",
    "within `TitleIndex` and `find_duplicates`, which have examples": """
        archives index index_files pair_blocks search_engines structured.comparison
        structured.records structured.relations study_search workers""",
    "within models and figures that examples and notebooks show": """
        arrays figure_style registry structured.boosting structured.explanation""",
    "in the training of notebooks 04 to 06, which takes its time": """
        alarm_share labels learners structured.evaluation structured.pairs structured.real_pairs
        structured.training""",
}
# Errors say when they are raised; protocols and records of results are made by what has an example.
PLAIN = {"ABC", "Exception", "IntEnum", "JudulError", "NamedTuple", "Protocol"}


def public(module):
    """The functions and classes of a module that should be seen at work."""
    for node in ast.parse(MODULES[module]).body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        decorators = " ".join(map(ast.unparse, node.decorator_list))
        bases = {ast.unparse(base) for base in getattr(node, "bases", ())}
        if not (bases & PLAIN or re.search(r"command\(|group\(|dataclass", decorators)):
            yield node


def seen():
    """The words of all examples and of the notebooks' code."""
    parser = doctest.DocTestParser()
    code = [example.source for text in MODULES.values() for example in parser.get_examples(text)]
    for path in (PROJECT / "notebooks").glob("*.ipynb"):
        code += [cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    return set(re.findall(r"\w+", "\n".join(code)))


def test_everything_public_is_seen_at_work():
    known = seen()
    hidden = {
        module: [node.name for node in public(module)
                 if node.name not in known and "Examples\n" not in ast.unparse(node)]
        for module in MODULES
    }  # fmt: skip
    listed = " ".join(ELSEWHERE.values()).split()
    assert {module: names for module, names in hidden.items() if names and module not in listed} == {}
    assert [module for module in listed if not hidden[module]] == []


def test_what_is_raised_is_told():
    for module in MODULES:
        for node in public(module):
            if isinstance(node, ast.FunctionDef):
                raises = any(isinstance(part, ast.Raise) and part.exc for part in ast.walk(node))
                assert not raises or "Raises\n" in ast.get_docstring(node), (module, node.name)


def test_no_example_is_skipped():
    assert [module for module, text in MODULES.items() if "doctest: +SKIP" in text] == []
