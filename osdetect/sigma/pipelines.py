"""pySigma processing pipelines: rules in the names of the events that they are to judge.

A pipeline is shipped (`mappings/pipelines/`), comes with an installed pySigma plugin package, or is the user's own
YAML file (pySigma documentation, "Processing Pipelines"). It is read once and applied to each rule before its conditions
become a tree. What pySigma lets a pipeline do besides, running programs, fetching pages, writing query text, is refused.
"""

import hashlib
import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import orjson
import sigma.exceptions as theirs
from sigma.processing.pipeline import ProcessingPipeline
from sigma.processing.transformations import transformations
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaRule
from sigma.types import SigmaExists, SigmaNull

from osdetect.errors import RuleError, UsageError
from osdetect.resources import folder
from osdetect.sigma.text_file import read_text
from osdetect.sigma.tree import Refusal
from osdetect.sigma.yaml_text import Document, documents

SUFFIX = ".yml"
SUFFIXES = (SUFFIX, ".yaml")
"""What ends so is a file: it is not looked for among the plugins."""
JSON_TEXT = "osdetect_json_text"
"""The variable of a pipeline that lists the paths where its events hold an object as JSON text."""

_REFUSED = {
    "command_placeholders": "it runs a program",
    "http_placeholders": "it fetches a page",
    "file_placeholders": "it reads a file that it names itself",
    "query_expression_placeholders": "it writes query text, and osdetect writes none",
}
"""Kinds of transformation that are not taken, and why."""
_QUERY_TEXT = ("postprocessing", "finalizers")
_WINDOW = 8
"""How many known names an error lists."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One or more processing pipelines, made ready. The same rule always comes out the same."""

    names: tuple[str, ...]
    """As they were asked for, in the order of their priorities, which is the order they are applied in."""
    digest: str
    """32 hexadecimal digits of what they say: for caches of compiled rules."""
    json_text: tuple[str, ...]
    """The paths where events hold an object as JSON text."""
    _steps: ProcessingPipeline = field(repr=False, compare=False)

    def apply(self, rule: SigmaRule) -> SigmaRule:
        """The rule in the events' names; it is changed in place, so hand in a fresh one.

        Raises:
            Refusal: the pipeline does not take it; names the item of the detection where it can.
        """
        before = [(item, item.field, _asks_for_absence(item)) for item in _items(rule)]
        try:
            self._steps.apply(rule)
        except theirs.SigmaError as error:
            raise self._refusal(rule, error) from error
        for item, name, absent in before:
            targets = self._steps.field_mappings.get(name, ())
            if absent and len(targets) > 1:
                raise Refusal(
                    f"that {name!r} is absent, null or other than a value cannot be asked here",
                    item=item,
                    cause=f"{self._named()} keeps it in several fields: {', '.join(sorted(targets))}",
                    cure="ask for the values that it has, or leave the rule out",
                )
        return rule

    def paths(self, fields: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Where events hold each of these fields of a CloudTrail record; a field that they lack is left out."""
        return {name: found for name in fields if (found := self._path(name))}

    def _path(self, name: str) -> tuple[str, ...]:
        probe = SigmaRule.from_dict(
            {
                "title": name,
                "logsource": {"product": "aws", "service": "cloudtrail"},
                "detection": {"selection": {name: "text"}, "condition": "selection"},
            }
        )
        try:
            return tuple(item.field for item in _items(self.apply(probe)) if item.field)
        except Refusal:
            return ()

    def _named(self) -> str:
        return f"the pipeline {', '.join(self.names)}"

    def _refusal(self, rule: SigmaRule, error: theirs.SigmaError) -> Refusal:
        """The refusal of a rule that a step of the pipeline failed at."""
        said = str(error.args[0] if error.args else error)
        item = self._failed_at(rule)
        if item is None:
            return Refusal(f"{self._named()} does not take this rule", cause=said)
        named = [item.field, *(getattr(value, "field", None) for value in item.value)]
        step = self._steps.items[len(self._steps.applied)]
        name = next((one for one in named if one and step.match_field_name(one)), item.field)
        return Refusal(
            f"the field {name!r} is not in these events",
            item=item,
            cause=f"{said} ({self._named()})",
            cure="leave the rule out, or deploy it with a pipeline that has the field: --pipeline FILE",
        )

    def _failed_at(self, rule: SigmaRule) -> SigmaDetectionItem | None:
        """The item that the failing step is about: steps before it count as applied, it does not."""
        done = len(self._steps.applied)
        if done >= len(self._steps.items):
            return None
        step = self._steps.items[done]
        if not isinstance(step.transformation, transformations["detection_item_failure"]):
            return None
        return next((item for item in _items(rule) if step.match_detection_item(item)), None)


def shipped_pipelines() -> tuple[str, ...]:
    """The names of the pipelines that come with osdetect."""
    return tuple(sorted(file.name.removesuffix(SUFFIX) for file in _shipped().glob(f"*{SUFFIX}")))


def load_pipelines(names_or_files: Sequence[str]) -> Pipeline:
    """The pipelines of these names: shipped ones, those of installed pySigma plugins, YAML files.

    Several are applied in the order of their priorities, lowest first, as sigma-cli does; those of one priority in the
    order given.

    Raises:
        UsageError: nothing has the name; a file is no pipeline, or asks for what is refused, with its place.
    """
    loaded = sorted((_load(name) for name in names_or_files), key=lambda one: one.steps.priority)
    digest = hashlib.sha256(orjson.dumps([one.content for one in loaded])).hexdigest()[:32]
    steps: ProcessingPipeline = sum((one.steps for one in loaded), start=ProcessingPipeline())
    json_text = tuple(dict.fromkeys(path for one in loaded for path in _json_text(one)))
    return Pipeline(tuple(one.name for one in loaded), digest, json_text, steps)


@dataclass(frozen=True, slots=True)
class _Loaded:
    name: str
    steps: ProcessingPipeline
    content: str
    """A hash of what it says."""


def _load(name: str) -> _Loaded:
    if name in shipped_pipelines():
        return _from_file(name, _shipped() / f"{name}{SUFFIX}")
    found = None if name.endswith(SUFFIXES) else _plugins().get(name)
    if found is None:
        if Path(name).is_file():
            return _from_file(name, Path(name))
        raise _unknown(name)
    made = found() if callable(found) else found
    if not isinstance(made, ProcessingPipeline):
        raise UsageError(
            f"the installed {name!r} gives no processing pipeline", cure="name another --pipeline"
        )
    return _Loaded(name, made, _hash_of_code(name, found))


def _unknown(name: str) -> UsageError:
    known = (*shipped_pipelines(), *sorted(_plugins()))
    near = get_close_matches(name, known, n=_WINDOW, cutoff=0.5)
    listed = near or known[:_WINDOW]
    more = "" if near or len(known) <= _WINDOW else f" and {len(known) - _WINDOW} more"
    return UsageError(
        f"there is no processing pipeline {name!r}",
        cause="it is no pipeline of osdetect, none of an installed pySigma plugin, and no file",
        cure=f"name a YAML file, or one of: {', '.join(listed)}{more}",
    )


def _shipped() -> Path:
    return folder("mappings") / "pipelines"


def _plugins() -> Mapping[str, Any]:
    """The pipelines of the pySigma plugin packages that are installed; nothing is fetched."""
    from sigma.plugins import InstalledSigmaPlugins  # noqa: PLC0415  # imports an HTTP client, which few runs need

    found = InstalledSigmaPlugins.autodiscover(include_backends=False, include_validators=False)
    return found.pipelines


def _hash_of_code(name: str, plugin: Any) -> str:
    """A hash of the source files beside the plugin's: what a pipeline made by code says is what its code says."""
    made_by = getattr(plugin, "func", None) or plugin
    source = inspect.getsourcefile(made_by if inspect.isroutine(made_by) else type(made_by))
    digest = hashlib.sha256(name.encode())
    for file in sorted(Path(source).parent.rglob("*.py")) if source else ():
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _from_file(name: str, file: Path) -> _Loaded:
    try:
        document = _document(file)
        steps = _parsed(document)
    except RuleError as refused:  # it is the command line's pipeline: no rule can be used without it
        raise UsageError(
            refused.what, cause=refused.cause, cure=refused.cure, where=refused.where
        ) from refused
    content = hashlib.sha256(orjson.dumps(document.data, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return _Loaded(name, steps, content)


def _document(file: Path) -> Document:
    source = read_text(file)
    found = list(documents(source))
    refused = next((one for one in found if isinstance(one, RuleError)), None)
    if refused is not None:
        raise refused
    if len(found) != 1 or not isinstance(found[0], Document):
        raise RuleError(
            "a pipeline is one YAML document", cause=f"this file has {len(found)}", where=source.where()
        )
    return found[0]


_KEYS = frozenset({"name", "priority", "vars", "transformations", "allowed_backends", *_QUERY_TEXT})


def _parsed(document: Document) -> ProcessingPipeline:
    """The pipeline that the document is.

    Raises:
        RuleError: it is none, or asks for something that is refused.
    """
    _check(document)
    try:
        return ProcessingPipeline.from_dict(document.data)
    except theirs.SigmaError as error:
        raise document.error(
            "this is not a processing pipeline", cause=" ".join(str(error).split())[:300]
        ) from error
    except (TypeError, ValueError, AttributeError, KeyError, RecursionError) as error:
        raise document.error(
            "this is not a processing pipeline", cause=f"{type(error).__name__}: {error}"[:300]
        ) from error


def _check(document: Document) -> None:
    data = document.data
    if not isinstance(data, dict) or not isinstance(data.get("transformations"), list):
        raise document.error(
            "this is not a processing pipeline",
            cause="a pipeline is a map with a list called transformations",
            cure="see docs/dialects.md; rules belong among the RULES",
        )
    other = next((key for key in data if key not in _KEYS), None)
    if other is not None:
        raise document.error(
            "this is not a processing pipeline", at=(other,), cause=f"a pipeline has no key {other!r}"
        )
    texts = next((key for key in _QUERY_TEXT if data.get(key)), None)
    if texts is not None:
        raise document.error(
            f"{texts} has no place here", at=(texts,), cause="it changes query text, and osdetect writes none"
        )
    if not isinstance(data.get("priority", 0), int):
        raise document.error("a priority must be a whole number", at=("priority",))
    if not isinstance(data.get("vars", {}), dict):
        raise document.error("vars must be a map", at=("vars",))
    paths = data.get("vars", {}).get(JSON_TEXT, [])
    if not isinstance(paths, list) or not all(isinstance(path, str) and path for path in paths):
        raise document.error(f"{JSON_TEXT} must be a list of paths", at=("vars", JSON_TEXT))
    _check_steps(document, data["transformations"], ("transformations",))


def _check_steps(document: Document, steps: list[Any], at: tuple[str | int, ...]) -> None:
    for place, step in enumerate(steps):
        kind = step.get("type") if isinstance(step, dict) else None
        if not isinstance(kind, str):
            raise document.error("a transformation is a map with a type", at=(*at, place))
        if kind in _REFUSED:
            raise document.error(
                f"the transformation {kind} is refused",
                at=(*at, place, "type"),
                cause=_REFUSED[kind],
                cure="write the values into the pipeline: vars and value_placeholders",
            )
        if kind not in transformations:
            raise document.error(f"there is no transformation {kind!r}", at=(*at, place, "type"))
        if isinstance(step.get("items"), list):
            _check_steps(document, step["items"], (*at, place, "items"))


def _json_text(one: _Loaded) -> tuple[str, ...]:
    """What the pipeline's variable says; a plugin's may say anything."""
    paths = one.steps.vars.get(JSON_TEXT, [])
    return tuple(path for path in paths if isinstance(path, str)) if isinstance(paths, list) else ()


def _items(rule: SigmaRule) -> Iterator[SigmaDetectionItem]:
    """Every field item of the rule's detection, in its order."""
    pending: list[SigmaDetection | SigmaDetectionItem] = list(reversed(rule.detection.detections.values()))
    while pending:
        one = pending.pop()
        if isinstance(one, SigmaDetectionItem):
            yield one
        else:
            pending.extend(reversed(one.detection_items))


def _asks_for_absence(item: SigmaDetectionItem) -> bool:
    """Whether the item holds where the field lacks something: over two fields, either would then be enough."""
    return bool(getattr(item, "negated", False)) or any(
        isinstance(value, SigmaNull) or (isinstance(value, SigmaExists) and not value.exists)
        for value in item.value
    )
