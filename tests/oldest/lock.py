"""Writes `artifacts.json` beside it anew: `python -m tests.oldest.lock`. For maintainers; needs the network."""

import json
import tempfile
from pathlib import Path
from typing import Any

from osdetect.node import lock
from osdetect.node.artifacts import FORMAT, Variant

VERSION = "2.19.4"
LOADER = ("org.opensearch", "opensearch-plugin-classloader", "2.19.0")
"""Of the loader of modules, the last that was published for 2.19; the server grants it rights by the name of its file."""
FILE = Path(__file__).with_name("artifacts.json")


def main() -> None:
    """Resolve, download, hash."""
    lock.VERSIONS.update(dict.fromkeys(Variant, VERSION))
    lock.SERVER = ("opensearch",)  # type: ignore[assignment]  # it had fewer parts
    (group, name, _), packaging, place = lock.SECURITY[0]
    lock.SECURITY = (((group, name, f"{VERSION}.0"), packaging, place), *lock.SECURITY[1:])
    with tempfile.TemporaryDirectory() as directory:
        sets = {variant.value: _entry(variant, Path(directory)) for variant in Variant}
    FILE.write_text(json.dumps({"format": FORMAT, "sets": sets}, indent=1) + "\n", encoding="utf-8")


def _entry(variant: Variant, directory: Path) -> dict[str, Any]:
    entry: dict[str, Any] = lock._resolve(variant, directory)
    loader = lock._Closure(directory).exactly(*LOADER, "jar")
    entry["artifacts"].append(lock._entry(f"lib/{LOADER[1]}-{VERSION}.jar", loader))
    for module in entry["modules"]:
        module["classname"] = module["classname"].replace("ModulePlugin", "Plugin")  # as 2.x calls them
    return entry


if __name__ == "__main__":
    main()
