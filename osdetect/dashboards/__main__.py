"""Write `mappings/dashboards/osdetect.ndjson` anew: `python -m osdetect.dashboards` (or `make dashboards`)."""

import sys

from osdetect.dashboards.saved_objects import FILE, build, ndjson
from osdetect.dashboards.validate import problems
from osdetect.resources import folder


def main() -> int:
    """Build, check, write."""
    objects = build()
    found = problems(objects)
    for problem in found:
        sys.stderr.write(f"{problem}\n")
    if found:
        return 1
    place = folder("mappings") / FILE
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(ndjson(objects))
    sys.stdout.write(f"{place}: {len(objects)} objects\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
