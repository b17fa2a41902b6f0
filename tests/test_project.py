"""What the project promises about itself: one list of dependencies, two READMEs, a light import."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from importlib.metadata import packages_distributions
from itertools import chain

import pytest
import yaml
from packaging.requirements import Requirement

from tests.conftest import PROJECT

PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())
LOCK = (PROJECT / "requirements.lock").read_text()


def requirements():
    """What `make install` installs: the dependencies and the extra `dev`, with the extras it names."""
    project = PYPROJECT["project"]
    found, extras = [Requirement(line) for line in project["dependencies"]], ["dev"]
    for extra in extras:
        for requirement in map(Requirement, project["optional-dependencies"][extra]):
            if requirement.name == project["name"]:
                extras += requirement.extras
            else:
                found.append(requirement)
    return found


def locked():
    pins = re.findall(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)", LOCK, re.MULTILINE)
    return {name.lower().replace("_", "-"): version for name, version in pins}


def test_every_dependency_is_pinned_within_its_range():
    pins = locked()
    for requirement in requirements():
        name = requirement.name.lower().replace("_", "-")
        assert name in pins, name
        assert requirement.specifier.contains(pins[name]), requirement


def test_every_pin_has_hashes_and_no_host_is_named():
    entries = re.split(r"\n(?=[A-Za-z0-9])", LOCK.strip())
    assert all("--hash=sha256:" in entry for entry in entries if "==" in entry)
    assert "://" not in LOCK
    assert "index-url" not in LOCK


def test_conda_installs_the_same_project():
    environment = yaml.safe_load((PROJECT / "environment.yml").read_text())
    plain = [line for line in environment["dependencies"] if isinstance(line, str)]
    pip = [
        line for entry in environment["dependencies"] if isinstance(entry, dict) for line in entry["pip"]
    ]
    assert f"python{PYPROJECT['project']['requires-python']}" in plain
    assert pip == ["-e .[dev]"]
    names = {re.split(r"[<>=]", line)[0] for line in plain}
    assert names == {"python", "pip", "make"}


def test_the_old_stemmer_is_nowhere_asked_for():
    assert "pysastrawi" in locked()
    assert "sastrawi" not in locked()


def command_blocks(name):
    text = (PROJECT / name).read_text(encoding="utf-8")
    return re.findall(r"^```(?:sh|bash|python)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_both_readmes_show_the_same_commands():
    def without_comments(blocks):
        return [re.sub(r"\s*#.*", "", block) for block in blocks]

    english, indonesian = command_blocks("README.md"), command_blocks("README.id.md")
    assert len(english) >= 3
    assert without_comments(english) == without_comments(indonesian)


@pytest.mark.parametrize(
    "path", [*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md"), *PROJECT.glob("notebooks/*.ipynb")],
    ids=lambda path: path.name,
)  # fmt: skip
def test_every_picture_says_what_it_shows(path):
    text = path.read_text(encoding="utf-8")
    assert all(len(alt) > 10 for alt in re.findall(r"!\[([^]]*)\]\([^)]", text))
    assert not re.search(r"<img(?![^>]*\balt=)", text)


def test_every_make_target_is_explained():
    makefile = (PROJECT / "Makefile").read_text()
    targets = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split()
    shown = subprocess.run(
        ["make", "help"], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout
    assert all(re.search(rf"^  make {target} ", shown, re.MULTILINE) for target in targets)


PIP = """
import sys, sysconfig
from pathlib import Path
if "-e" in sys.argv:
    Path(sysconfig.get_path("purelib"), "judul_lib.pth").write_bytes(str(Path.cwd()).encode())
"""


@pytest.mark.parametrize("name", ["skripsi", "skripsi Ålesund"])
def test_an_installation_starts_in_every_locale_whatever_its_folder_is_called(name, tmp_path):
    """With a stand-in for pip, which would fetch all packages; it writes the path file as flit does."""
    clone = tmp_path / name
    venv.create(clone / ".venv", symlinks=True)
    packages = next(clone.glob(".venv/lib/python*/site-packages"))
    (packages / "pip").mkdir()
    (packages / "pip" / "__main__.py").write_text(PIP)
    for file in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(PROJECT / file, clone)
    shutil.copytree(PROJECT / "scripts", clone / "scripts")
    (clone / "judul_lib").mkdir()
    (clone / "judul_lib" / "__init__.py").write_text("")
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "CONDA_DEFAULT_ENV")}
    for locale in ("C", "C.UTF-8"):
        run = {"cwd": clone, "env": kept | {"LC_ALL": locale}, "capture_output": True, "text": True}
        made = subprocess.run(["make", "-B", "install"], check=False, **run)
        assert made.returncode == 0, made.stderr
        for other in ("C", "C.UTF-8"):
            run["env"] = kept | {"LC_ALL": other}
            python = [clone / ".venv" / "bin" / "python", "-P", "-c"]
            code = "import judul_lib; print(ascii(judul_lib.__file__))"
            shown = subprocess.run([*python, code], check=False, **run | {"cwd": tmp_path})
            assert shown.stdout.strip() == ascii(str(clone / "judul_lib" / "__init__.py")), shown.stderr


def test_importing_the_package_imports_nothing_else():
    code = (
        "import sys; before = set(sys.modules); import judul_lib; "
        "print(sorted(m for m in set(sys.modules) - before if not m.startswith('judul_lib')))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "numpy" not in shown.stdout
    assert "Sastrawi" not in shown.stdout


def test_what_is_imported_is_declared():
    project = PYPROJECT["project"]
    listed = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    declared = {Requirement(line).name.lower().replace("_", "-") for line in listed}
    providers = packages_distributions()
    for path in (PROJECT / "judul_lib").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in {str(name).split(".")[0] for name in names} - sys.stdlib_module_names:
                # An extra that is not installed here provides what its name begins with.
                given = providers.get(
                    name, [d for d in declared if d.startswith(name.replace("_", "-"))]
                )
                known = {found.lower().replace("_", "-") for found in given} & declared
                assert name == "judul_lib" or known, f"{path.name} imports {name}"
