"""Makes the compiled reader of records when osdetect is built or installed, where the Rust compiler is.

Without it osdetect does the same in Python, more slowly, and says so. OSDETECT_REQUIRE_COMPILED=1 makes that an error. RUSTC names
the compiler.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = Path("osdetect/expr/engine/native")
LIBRARY = "records.library"


class ReaderHook(BuildHookInterface[Any]):
    """Called by hatchling before it packs a wheel, an editable one too."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and have the library packed."""
        del version
        folder = Path(self.root) / SOURCES
        library = folder / LIBRARY
        failure = compiled(folder, library)
        if failure:
            library.unlink(missing_ok=True)  # what stands there may be of other sources
            if os.environ.get("OSDETECT_REQUIRE_COMPILED") == "1":
                raise RuntimeError(failure)
            self.app.display_warning(f"records will be read by Python alone: {failure}")
            return
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform_tag()}"
        build_data["artifacts"].append(f"/{SOURCES.as_posix()}/{LIBRARY}")


def compiled(folder: Path, library: Path) -> str:
    """Why the library could not be made; nothing if it was."""
    rustc = os.environ.get("RUSTC") or shutil.which("rustc")
    if rustc is None:
        return "there is no rustc"
    command = [rustc, "--edition=2021", "--crate-type=cdylib", "--crate-name=records"]
    options = ["-Copt-level=3", "-Clto=fat", "-Cstrip=symbols"]
    # Made in a folder of its own, where another build cannot meddle with it, and moved: who has the old one loaded keeps it.
    with tempfile.TemporaryDirectory(prefix=".records.", dir=folder) as apart:
        made = Path(apart) / library.name
        try:
            subprocess.run(
                [*command, *options, "-o", made, folder / "lib.rs"],
                check=True,
                capture_output=True,
                text=True,
            )
            made.replace(library)
        except subprocess.CalledProcessError as error:
            return f"{rustc} failed: {error.stderr.strip()[-2_000:]}"
        except OSError as error:
            return f"{rustc} cannot be run: {error.strerror}"
    return ""


def platform_tag() -> str:
    """This platform, as the name of a wheel has it."""
    from packaging.tags import sys_tags  # noqa: PLC0415  # hatchling's own dependency, only there when it builds

    return next(sys_tags()).platform
