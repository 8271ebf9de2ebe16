"""pySigma processing pipelines: rules in the names of the events that they are to judge.

A pipeline is shipped (`mappings/pipelines/`), comes with an installed pySigma plugin package, or is the user's own
YAML file (pySigma documentation, "Processing Pipelines"). It is read once and applied to each rule before its conditions
become a tree. What pySigma lets a pipeline do besides, running programs, fetching pages, writing query text, is refused.
"""

import hashlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec
import orjson
import sigma.exceptions as theirs
from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
from sigma.processing.transformations import (
    DetectionItemFailureTransformation,
    NestedProcessingTransformation,
)
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaRule
from sigma.types import SigmaExists, SigmaNull, SigmaString

from osdetect.errors import RuleError, UsageError
from osdetect.resources import folder
from osdetect.sigma.pipeline_file import JSON_TEXT, parsed, pipeline_document
from osdetect.sigma.tree import Refusal

SUFFIX = ".yml"
SUFFIXES = (SUFFIX, ".yaml")
"""What ends so is a file: it is not looked for among the plugins."""

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
        except Exception as error:  # a transformation may be code of a plugin, and raise anything
            said = f"{type(error).__name__}: {error}"[:300]
            raise Refusal(f"{self._named()} fails at this rule", cause=said) from error
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
        return paths_of(self.apply, fields)

    def _named(self) -> str:
        return f"the pipeline {', '.join(self.names)}"

    def _refusal(self, rule: SigmaRule, error: theirs.SigmaError) -> Refusal:
        """The refusal of a rule that a step of the pipeline failed at."""
        said = str(error.args[0] if error.args else error)
        found = _failed_at(self._steps, rule, said)
        if found is None:
            return Refusal(f"{self._named()} does not take this rule", cause=said)
        item, name = found
        return Refusal(
            f"the field {name!r} is not in these events",
            item=item,
            cause=f"{said} ({self._named()})",
            cure="leave the rule out, or deploy it with a pipeline that has the field: --pipeline FILE",
        )


def paths_of(apply: Callable[[SigmaRule], SigmaRule], fields: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Where pipelines put each of these fields; a field that they refuse or drop is left out.

    Args:
        apply: puts a rule through them.
        fields: of a CloudTrail record.
    """
    return {name: found for name in fields if (found := _path(apply, name))}


_PROBED = "selection"
"""Of the probe's detection: pipelines may add selections of their own."""


def _path(apply: Callable[[SigmaRule], SigmaRule], name: str) -> tuple[str, ...]:
    probe = SigmaRule.from_dict(
        {
            "title": "A rule that asks for one field",
            "logsource": {"product": "aws", "service": "cloudtrail"},
            "detection": {_PROBED: {"a": "text"}, "condition": _PROBED},
        }
    )
    # The name as it is: pySigma would take what is behind a bar for modifiers.
    probe.detection.detections[_PROBED] = SigmaDetection(
        [SigmaDetectionItem(name, [], [SigmaString("text")])]
    )
    try:
        found = apply(probe).detection.detections[_PROBED]
    except (Refusal, theirs.SigmaError):
        return ()
    return tuple(item.field for item in _items_of([found]) if item.field)


def _failed_at(
    steps: ProcessingPipeline, rule: SigmaRule, said: str
) -> tuple[SigmaDetectionItem, str] | None:
    """The item and the field that a step of the kind `detection_item_failure` refused with these words."""
    for message, step in _failures(steps):
        for item in _items(rule) if message == said else ():
            if step.match_detection_item(item):
                named = (item.field, *(getattr(value, "field", None) for value in item.value))
                return item, next((one for one in named if one and step.match_field_name(one)), "")
    return None


def _failures(steps: ProcessingPipeline) -> Iterator[tuple[str, ProcessingItem]]:
    for step in steps.items:
        if isinstance(step.transformation, NestedProcessingTransformation):
            yield from _failures(step.transformation._nested_pipeline)  # noqa: SLF001  # it has no public name
        elif isinstance(step.transformation, DetectionItemFailureTransformation):
            yield step.transformation.message, step


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


class _Loaded(msgspec.Struct, frozen=True):
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
        document = pipeline_document(file)
        steps = parsed(document)
    except RuleError as refused:  # it is the command line's pipeline: no rule can be used without it
        raise UsageError(
            refused.what, cause=refused.cause, cure=refused.cure, where=refused.where
        ) from refused
    content = hashlib.sha256(orjson.dumps(document.data, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return _Loaded(name, steps, content)


def _json_text(one: _Loaded) -> tuple[str, ...]:
    """What the pipeline's variable says; a plugin's may say anything."""
    paths = one.steps.vars.get(JSON_TEXT, [])
    return tuple(path for path in paths if isinstance(path, str)) if isinstance(paths, list) else ()


def _items(rule: SigmaRule) -> Iterator[SigmaDetectionItem]:
    """Every field item of the rule's detection, in its order."""
    return _items_of(rule.detection.detections.values())


def _items_of(detections: Iterable[SigmaDetection]) -> Iterator[SigmaDetectionItem]:
    pending: list[SigmaDetection | SigmaDetectionItem] = list(reversed(tuple(detections)))
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
