"""Data as YAML text that our own reader reads back to the same data."""

from typing import Any

import yaml


class _Plain(yaml.SafeDumper):
    """Without anchors: each value stands where it is meant, also one that is used twice."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  # PyYAML asks
        """It is never one."""
        return True


def yaml_of(data: Any) -> str:
    r"""The text of one document.

    >>> yaml_of({"title": "Keys", "tags": ["attack.t1098"]})
    'title: Keys\ntags:\n- attack.t1098\n'
    """
    text = yaml.dump(data, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=110)
    return str(text)
