"""Dependencies, installation, Makefile, images and the cost of importing the package."""

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


def normalize(name):
    return name.lower().replace("_", "-")


def development_requirements():
    """Return what `make install` installs: the dependencies and the extra `dev` with its extras."""
    project = PYPROJECT["project"]
    requirements, extras = [Requirement(line) for line in project["dependencies"]], ["dev"]
    for extra in extras:
        for requirement in map(Requirement, project["optional-dependencies"][extra]):
            if requirement.name == project["name"]:
                extras += requirement.extras
            else:
                requirements.append(requirement)
    return requirements


def pinned_versions():
    pins = re.findall(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)", LOCK, re.MULTILINE)
    return {normalize(name): version for name, version in pins}


def test_every_dependency_is_pinned_within_its_range():
    pins = pinned_versions()
    for requirement in development_requirements():
        name = normalize(requirement.name)
        assert name in pins, name
        assert requirement.specifier.contains(pins[name]), requirement


def test_every_pin_has_hashes_and_no_host_is_named():
    entries = re.split(r"\n(?=[A-Za-z0-9])", LOCK.strip())
    assert all("--hash=sha256:" in entry for entry in entries if "==" in entry)
    assert "://" not in LOCK
    assert "index-url" not in LOCK


def test_conda_installs_the_same_project():
    environment = yaml.safe_load((PROJECT / "environment.yml").read_text())
    *packages, pip = environment["dependencies"]
    assert pip == {"pip": ["-e .[dev]"]}
    assert f"python{PYPROJECT['project']['requires-python']}" in packages
    assert {re.split(r"[<>=]", package)[0] for package in packages} == {"python", "pip", "make"}


def test_only_the_new_stemmer_package_is_pinned():
    assert "pysastrawi" in pinned_versions()
    assert "sastrawi" not in pinned_versions()


@pytest.mark.parametrize(
    "path", [*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md"), *PROJECT.glob("notebooks/*.ipynb")],
    ids=lambda path: path.name,
)  # fmt: skip
def test_every_image_has_alternative_text(path):
    text = path.read_text(encoding="utf-8")
    assert all(len(alt) > 10 for alt in re.findall(r"!\[([^]]*)\]\([^)]", text))
    assert not re.search(r"<img(?![^>]*\balt=)", text)


def test_make_help_lists_every_target():
    makefile = (PROJECT / "Makefile").read_text()
    targets = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split()
    process = subprocess.run(["make", "help"], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert all(re.search(rf"^  make {target} ", process.stdout, re.MULTILINE) for target in targets)


# A stand-in for pip, which would download all packages; like flit, it writes a path file.
FAKE_PIP = """
import sys, sysconfig
from pathlib import Path
if "-e" in sys.argv:
    Path(sysconfig.get_path("purelib"), "judul_lib.pth").write_bytes(str(Path.cwd()).encode())
"""


@pytest.mark.parametrize("name", ["skripsi", "skripsi Ålesund"])
def test_installation_starts_in_every_locale_from_any_folder(name, tmp_path):
    clone = tmp_path / name
    venv.create(clone / ".venv", symlinks=True)
    packages = next(clone.glob(".venv/lib/python*/site-packages"))
    (packages / "pip").mkdir()
    (packages / "pip" / "__main__.py").write_text(FAKE_PIP)
    for file in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(PROJECT / file, clone)
    shutil.copytree(PROJECT / "scripts", clone / "scripts")
    (clone / "judul_lib").mkdir()
    (clone / "judul_lib" / "__init__.py").write_text("")
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "CONDA_DEFAULT_ENV")}

    def run(command, cwd, locale):
        return subprocess.run(
            command, cwd=cwd, env={**environment, "LC_ALL": locale},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    code = "import judul_lib; print(ascii(judul_lib.__file__))"
    for install_locale in ("C", "C.UTF-8"):
        installation = run(["make", "-B", "install"], clone, install_locale)
        assert installation.returncode == 0, installation.stderr
        for locale in ("C", "C.UTF-8"):
            process = run([clone / ".venv" / "bin" / "python", "-P", "-c", code], tmp_path, locale)
            path = clone / "judul_lib" / "__init__.py"
            assert process.stdout.strip() == ascii(str(path)), process.stderr


def test_importing_the_package_imports_no_dependency():
    code = "import sys, judul_lib; print(*sys.modules)"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "Sastrawi"} & set(process.stdout.split())


def test_every_imported_package_is_declared():
    project = PYPROJECT["project"]
    lines = chain(project["dependencies"], *project["optional-dependencies"].values())
    declared = {normalize(Requirement(line).name) for line in lines}
    declared.add("levenshtein")  # All that python-Levenshtein installs.
    assert "python-levenshtein" in declared
    providers = packages_distributions()
    for path in (PROJECT / "judul_lib").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in {str(module).split(".")[0] for module in modules} - sys.stdlib_module_names:
                # If an extra is not installed, assume that its name starts with that of the module.
                guesses = [other for other in declared if other.startswith(name.replace("_", "-"))]
                distributions = {normalize(other) for other in providers.get(name, guesses)}
                assert name == "judul_lib" or distributions & declared, f"{path.name} imports {name}"
