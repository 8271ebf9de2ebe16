"""A project's folder and a user's own settings file, both the test's."""

from collections.abc import Callable
from pathlib import Path

import pytest

from osdetect.settings import SETTINGS, user_file

Write = Callable[[str], Path]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: two folders below the project's."""
    for setting in SETTINGS:
        monkeypatch.delenv(setting.variable, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / ".config"))
    folder = tmp_path / "project" / "rules" / "aws"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return tmp_path / "project"


@pytest.fixture
def project_says(project: Path) -> Write:
    return lambda text: _written(project / "osdetect.toml", text)


@pytest.fixture
def user_says() -> Write:
    return lambda text: _written(user_file(), text)


def _written(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file
