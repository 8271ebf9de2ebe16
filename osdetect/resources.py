"""Where the project's own data files are: `rules/` and `mappings/`.

They stand at the top of the repository, and inside the package once it is installed from a wheel.
"""

from pathlib import Path

from osdetect.errors import ResourceError

_PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """The folder of data files called `name` ("rules" or "mappings").

    Raises:
        ResourceError: the installation lacks it.
    """
    for candidate in (_PACKAGE / "_data" / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise ResourceError(
        f"this installation of osdetect has no {name}/ folder",
        cure="install it again: pip install --force-reinstall osdetect",
    )
