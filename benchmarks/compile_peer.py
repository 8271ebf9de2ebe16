"""pySigma's side of `compile.py`, run by a Python that has pySigma and its OpenSearch backend.

    PYTHON compile_peer.py < list of files, one path a line

Each file is read by `SigmaCollection.from_yaml` (pySigma's own YAML loading) and converted by the backend; a file that
pySigma refuses is counted by the error's name. Prints one JSON object; times are without interpreter start and imports.
"""

import json
import sys
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path

from sigma.backends.opensearch import OpensearchLuceneBackend
from sigma.collection import SigmaCollection
from sigma.exceptions import SigmaError

# What pySigma raises for rules that it does not take: its own errors, and some that its code runs into.
REFUSALS = (SigmaError, AttributeError, KeyError, TypeError, ValueError, NotImplementedError)


def main() -> None:
    """Read, convert, and report."""
    files = [Path(line) for line in sys.stdin.read().splitlines()]
    backend = OpensearchLuceneBackend()
    errors: Counter[str] = Counter()
    queries = 0
    wall, cpu = time.perf_counter(), time.process_time()
    for file in files:
        try:
            queries += len(backend.convert(SigmaCollection.from_yaml(file.read_text(encoding="utf-8"))))
        except REFUSALS as error:
            errors[type(error).__name__] += 1
        except (
            Exception
        ) as error:  # PyYAML's errors are no ValueErrors; anything else is a defect of this script
            if not type(error).__module__.startswith("yaml."):
                raise
            errors[type(error).__name__] += 1
    took = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    names = ("pysigma", "pysigma-backend-opensearch")
    print(
        json.dumps(
            {
                **took,
                "files": len(files),
                "rules": queries,
                "refused": dict(errors.most_common()),
                "what": ", ".join(f"{name} {version(name)}" for name in names),
            }
        )
    )


if __name__ == "__main__":
    main()
