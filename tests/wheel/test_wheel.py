"""The wheel as a user gets it: built, installed into an environment of its own, and run."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

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
