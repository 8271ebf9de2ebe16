"""The wheel as a user gets it: built, installed into an environment of its own, and run."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import orjson
import pytest

from osdetect.expr.engine import native
from osdetect.scenario import iter_records
from osdetect.sigma.listing import list_files

REPOSITORY = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    _run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            str(folder),
            str(REPOSITORY),
        ]
    )
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_carries_rules_and_mappings(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("rules", "mappings"):
        expected = {
            f"osdetect/_data/{path.relative_to(REPOSITORY)}"
            for path in (REPOSITORY / folder).rglob("*")
            if path.is_file()
        }
        assert expected <= names
    assert "osdetect/node/artifacts.json" in names
    assert not [name for name in names if name.startswith(("tests/", "docs/", "benchmarks/"))]


def test_the_wheel_carries_the_compiled_reader_and_says_for_what_machine(wheel: Path) -> None:
    if native.MISSING:
        pytest.skip(native.MISSING)
    assert "osdetect/expr/engine/native/records.library" in zipfile.ZipFile(wheel).namelist()
    assert f"-py3-none-{sys.platform}_" in wheel.name


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """What a wheel is made of."""
    tree = tmp_path / "source"
    for name in ("osdetect", "rules", "mappings"):
        left_out = shutil.ignore_patterns("__pycache__", "records.library")
        shutil.copytree(REPOSITORY / name, tree / name, ignore=left_out)
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, tree)
    return tree


def _built(source: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(source / "dist")]
    environment = {**os.environ, "OSDETECT_REQUIRE_COMPILED": "0", **settings}
    return subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, check=False)


def test_without_a_compiler_the_wheel_is_one_for_all_machines_and_that_is_said(source: Path) -> None:
    library = source / "osdetect/expr/engine/native/records.library"
    library.write_bytes(b"of other sources")
    built = _built(source, RUSTC=str(source / "none"))
    assert (built.returncode, "read by Python alone" in built.stderr + built.stdout) == (0, True)
    (made,) = (source / "dist").glob("*.whl")
    assert made.name.endswith("-py3-none-any.whl")
    assert not [
        name for name in zipfile.ZipFile(made).namelist() if "library" in name or name.endswith(".so")
    ]
    assert not library.exists()


def test_two_builds_at_once_do_not_meddle_with_each_other(source: Path) -> None:
    if native.MISSING:
        pytest.skip(native.MISSING)
    with ThreadPoolExecutor(2) as both:
        built = list(both.map(lambda _: _built(source, OSDETECT_REQUIRE_COMPILED="1"), range(2)))
    assert [one.returncode for one in built] == [0, 0], built
    library = source / "osdetect/expr/engine/native/records.library"
    assert library.is_file()
    assert not list(library.parent.glob(".records.*"))


def test_a_compiler_that_fails_is_quoted_and_an_error_where_it_is_demanded(source: Path) -> None:
    compiler = source / "rustc"
    compiler.write_text("#!/bin/sh\necho 'error: linker not found' >&2\nexit 1\n", encoding="ascii")
    compiler.chmod(0o755)
    built = _built(source, RUSTC=str(compiler))
    assert (built.returncode, "linker not found" in built.stderr + built.stdout) == (0, True)
    built = _built(source, RUSTC=str(compiler), OSDETECT_REQUIRE_COMPILED="1")
    assert built.returncode != 0
    assert "linker not found" in built.stderr


def test_a_scan_without_the_compiled_reader_finds_the_same_and_says_so(source: Path) -> None:
    logs = source / "logs.json"
    records = list(islice(iter_records(seed=1, background_count=2_000), 2_400))
    logs.write_bytes(orjson.dumps({"Records": records}))
    command = [sys.executable, "-m", "osdetect", "scan", str(logs), "--output", "csv"]
    told = {}
    for where in (source, REPOSITORY):
        environment = {**os.environ, "PYTHONPATH": str(where)}
        told[where] = subprocess.run(
            command, cwd=where, env=environment, capture_output=True, text=True, check=False
        )
    assert told[source].returncode == told[REPOSITORY].returncode
    assert told[source].stdout == told[REPOSITORY].stdout
    assert told[source].stdout.count("\n") > 20
    assert "without compiled code" in told[source].stderr
    assert ("without compiled code" in told[REPOSITORY].stderr) is bool(native.MISSING)


def test_the_installed_wheel_finds_the_attack(wheel: Path, folder: Path, tmp_path: Path) -> None:
    environment = folder / "venv"
    _run([sys.executable, "-m", "venv", str(environment)])
    python = environment / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "--require-hashes", "-r", str(REPOSITORY / "requirements" / "run.txt")])
    _run([*pip, "--no-deps", str(wheel)])
    settings = {**os.environ, "OSDETECT_DATA_DIR": str(folder / "data")}
    found = _run(
        [str(python.parent / "osdetect"), "quickstart", "--output", "json"], cwd=tmp_path, env=settings
    )
    report = json.loads(found)
    assert report["load"]["created"] == report["detect"]["judged"] > 3000
    assert len(report["alerts"]) >= 50
    assert not report["losses"]


def test_pysigmas_own_program_finds_the_backend(wheel: Path, folder: Path, tmp_path: Path) -> None:
    """It wants an older pySigma than the one that all else runs with: the queries are the same by both."""
    environment = folder / "convert"
    _run([sys.executable, "-m", "venv", str(environment)])
    program = environment / "bin"
    pip = [str(program / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "--require-hashes", "-r", str(REPOSITORY / "requirements" / "convert.txt")])
    _run([*pip, "--no-deps", str(wheel)])
    rules = REPOSITORY / "rules" / "aws" / "iam"
    files = map(str, list_files([rules])[0])  # of a folder pySigma takes every YAML file for rules
    convert = [str(program / "sigma"), "convert", "--without-pipeline", "-t", "osdetect", *files]
    converted = [
        json.loads(line) for line in _run(convert, cwd=tmp_path).splitlines() if line.startswith("{")
    ]
    compiled = json.loads(_run([sys.executable, "-m", "osdetect", "compile", str(rules)], cwd=tmp_path))
    assert len(converted) == len(compiled) > 10
    assert sorted(map(json.dumps, converted)) == sorted(
        json.dumps({"query": one["query"]}) for one in compiled
    )


def _run(command: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout
