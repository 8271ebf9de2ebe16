"""Processing pipelines: which are found, what is refused in them, and what they make of rules."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from sigma.processing.pipeline import ProcessingPipeline
from sigma.rule import SigmaRule

from osdetect.errors import RuleError, UsageError
from osdetect.expr import AnyOf, Equals, Expr, Leaf, SameAs, leaves
from osdetect.resources import folder
from osdetect.sigma import ReadOptions, Rule, RuleSet, read_rules
from osdetect.sigma.pipelines import load_pipelines, shipped_pipelines

SHIPPED = (
    "cloudtrail-catalog-camel",
    "cloudtrail-catalog-snake",
    "cloudtrail-ecs",
    "cloudtrail-ocsf",
    "cloudtrail-raw",
)
NO_COUNTERPART = {
    "cloudtrail-catalog-camel": set(),
    "cloudtrail-catalog-snake": {"status", "src_country"},
    "cloudtrail-ecs": {"status", "src_country", "sessionCredentialFromConsole"},
    "cloudtrail-ocsf": set(),
    "cloudtrail-raw": set(),
}
"""Fields of public CloudTrail rules and of our own that a dialect lacks; the first two are no fields of CloudTrail."""


def rule(selection: str) -> str:
    return f"""title: A rule
id: 00000000-0000-4000-8000-000000000001
logsource: {{product: aws, service: cloudtrail}}
detection:
    selection:
        {selection}
    condition: selection
"""


def read(tmp_path: Path, selection: str, *pipelines: str) -> RuleSet[Rule]:
    file = tmp_path / "rule.yml"
    file.write_text(rule(selection))
    return read_rules([file], ReadOptions(pipeline=load_pipelines(pipelines)))


def tree(tmp_path: Path, selection: str, *pipelines: str) -> Expr[str]:
    found = read(tmp_path, selection, *pipelines)
    assert found.refused == ()
    return found.rules[0].tree


def refused(tmp_path: Path, selection: str, *pipelines: str) -> RuleError:
    (error,) = read(tmp_path, selection, *pipelines).refused
    return error


def written(tmp_path: Path, text: str) -> str:
    file = tmp_path / "pipeline.yml"
    file.write_text(text)
    return str(file)


def test_five_dialects_of_cloudtrail_are_shipped() -> None:
    assert shipped_pipelines() == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_pipeline_is_one_that_pysigma_reads_by_itself(name: str) -> None:
    text = (folder("mappings") / "pipelines" / f"{name}.yml").read_text(encoding="utf-8")
    theirs = ProcessingPipeline.from_yaml(text)
    parsed = SigmaRule.from_yaml(rule("requestParameters.userName|contains: bob"))
    theirs.apply(parsed)
    item: Any = parsed.detection.detections["selection"].detection_items[0]
    ours = load_pipelines([name])
    assert ours.paths(["requestParameters.userName"]) == {"requestParameters.userName": (item.field,)}


@pytest.mark.parametrize(
    ("name", "field", "place"),
    [
        ("cloudtrail-raw", "eventName", "eventName"),
        ("cloudtrail-ecs", "eventName", "event.action"),
        ("cloudtrail-ecs", "requestParameters", "aws.cloudtrail.flattened.request_parameters"),
        ("cloudtrail-ecs", "requestParameters.a.b", "aws.cloudtrail.flattened.request_parameters.a.b"),
        ("cloudtrail-ecs", "userIdentity.arn", "aws.cloudtrail.user_identity.arn"),
        ("cloudtrail-catalog-camel", "requestParameters.a", "aws.cloudtrail.requestParameters.a"),
        (
            "cloudtrail-catalog-snake",
            "requestParameters.userName",
            "aws.cloudtrail.request_parameters.username",
        ),
        (
            "cloudtrail-catalog-snake",
            "userIdentity.sessionContext.sessionIssuer.type",
            "aws.cloudtrail.user_identity.session_context.session_issuer.type",
        ),
        ("cloudtrail-ocsf", "responseElements.ConsoleLogin", "api.response.data.ConsoleLogin"),
        ("cloudtrail-ocsf", "userIdentity.arn", "actor.user.uid"),
        ("cloudtrail-ocsf", "sessionCredentialFromConsole", "unmapped.sessionCredentialFromConsole"),
    ],
)
def test_a_field_goes_to_its_place_in_the_dialect(tmp_path: Path, name: str, field: str, place: str) -> None:
    assert tree(tmp_path, f"{field}: x", name) == Leaf(place, Equals("x"))


def test_the_other_field_of_a_fieldref_goes_along(tmp_path: Path) -> None:
    found = tree(tmp_path, "userIdentity.arn|fieldref: requestParameters.roleArn", "cloudtrail-ecs")
    place = "aws.cloudtrail.flattened.request_parameters.roleArn"
    assert found == Leaf("aws.cloudtrail.user_identity.arn", SameAs(place))


def test_a_field_in_two_places_is_asked_for_in_both(tmp_path: Path) -> None:
    found = tree(tmp_path, "sourceIPAddress: 198.51.100.7", "cloudtrail-ocsf")
    test = Equals("198.51.100.7")
    assert found == AnyOf((Leaf("src_endpoint.ip", test), Leaf("src_endpoint.domain", test)))


@pytest.mark.parametrize(
    "selection",
    ["sourceIPAddress: null", "sourceIPAddress|exists: false", "sourceIPAddress|neq: 198.51.100.7"],
)
def test_the_absence_of_a_field_in_two_places_is_refused(tmp_path: Path, selection: str) -> None:
    error = refused(tmp_path, selection, "cloudtrail-ocsf")
    assert "'sourceIPAddress'" in error.what
    assert "src_endpoint.domain, src_endpoint.ip" in error.cause
    assert error.where is not None
    assert (error.where.line, error.where.column) == (6, 9)
    assert read(tmp_path, selection, "cloudtrail-ecs").refused == ()


def test_values_are_put_into_the_dialects_words(tmp_path: Path) -> None:
    found = tree(tmp_path, "additionalEventData.MFAUsed: ['NO', 'Yes', other]", "cloudtrail-ocsf")
    assert {(leaf.field, leaf.test) for leaf in leaves(found)} == {
        ("is_mfa", Equals(text)) for text in ("false", "true", "other")
    }


@pytest.mark.parametrize(
    ("name", "selection", "field"),
    [
        ("cloudtrail-ecs", "sessionCredentialFromConsole: 'true'", "sessionCredentialFromConsole"),
        ("cloudtrail-ecs", "tlsDetails.tlsVersion: TLSv1.2", "tlsDetails.tlsVersion"),
        ("cloudtrail-ecs", "userIdentity.arn|fieldref: status", "status"),
        ("cloudtrail-catalog-snake", "status: success", "status"),
        ("cloudtrail-ocsf", "userIdentity|contains: root", "userIdentity"),
    ],
)
def test_a_field_that_a_dialect_lacks_is_refused_by_name_and_place(
    tmp_path: Path, name: str, selection: str, field: str
) -> None:
    error = refused(tmp_path, selection, name)
    assert error.what == f"the field {field!r} is not in these events"
    assert name in error.cause
    assert "--pipeline" in error.cure
    assert error.where is not None
    assert (error.where.line, error.where.column) == (6, 9)


def test_keywords_stay_keywords(tmp_path: Path) -> None:
    for name in SHIPPED:
        file = tmp_path / "rule.yml"
        file.write_text(rule("x").replace("selection:\n        x", "selection: [DeleteTrail]"))
        found = read_rules([file], ReadOptions(pipeline=load_pipelines([name])))
        assert found.refused == ()
        assert [leaf.field for leaf in leaves(found.rules[0].tree)] == [""]


@pytest.fixture(scope="module")
def public(shared: Path) -> tuple[list[Path], RuleSet[Rule]]:
    """Every public rule for CloudTrail and our own: their folders, and what they are without a pipeline."""
    folders = [shared / "data/rules", folder("rules")]
    return folders, read_rules(folders)


@pytest.mark.parametrize("name", [name for name in SHIPPED if name != "cloudtrail-raw"])
def test_every_field_of_the_public_rules_has_its_place_or_is_known_to_lack_one(
    public: tuple[list[Path], RuleSet[Rule]], name: str
) -> None:
    folders, before = public
    after = read_rules(folders, ReadOptions(pipeline=load_pipelines([name])))
    assert len(before.rules) > 600
    refusals = set(map(str, after.refused)) - set(map(str, before.refused))
    lacking = {said.split("the field '")[1].split("'")[0] for said in refusals}
    assert lacking == NO_COUNTERPART[name]
    assert len(before.rules) - len(after.rules) <= len(refusals) <= len(NO_COUNTERPART[name])


def test_the_same_rule_always_comes_out_the_same(tmp_path: Path) -> None:
    pipeline = load_pipelines(["cloudtrail-ocsf"])
    texts = [
        rule("eventName: A\n        sourceIPAddress|cidr: 10.0.0.0/8"),
        rule("userIdentity: x"),
        rule("requestParameters.a|exists: false"),
    ]
    results: list[list[str]] = []
    for _ in range(3):
        for number, text in enumerate(texts):
            (tmp_path / f"{number}.yml").write_text(text.replace("0000001", f"000000{number}"))
        found = read_rules([tmp_path], ReadOptions(pipeline=pipeline))
        results.append([*(one.hash() for one in found.rules), *map(str, found.refused)])
    assert results[0] == results[1] == results[2]
    assert len(results[0]) == 3


def test_pipelines_are_applied_in_the_order_of_their_priorities(tmp_path: Path) -> None:
    first = written(
        tmp_path, "priority: 10\ntransformations: [{type: field_name_mapping, mapping: {call: eventName}}]"
    )
    loaded = load_pipelines(["cloudtrail-ecs", first])
    assert loaded.names == (first, "cloudtrail-ecs")
    assert loaded.paths(["call"]) == {"call": ("event.action",)}
    assert loaded.digest != load_pipelines(["cloudtrail-ecs"]).digest
    assert loaded.digest == load_pipelines([first, "cloudtrail-ecs"]).digest


def test_what_a_pipeline_adds_to_rules_is_no_place_of_a_field(tmp_path: Path) -> None:
    adding = written(
        tmp_path,
        "transformations:\n"
        "- {type: field_name_mapping, mapping: {eventName: [call, act]}}\n"
        "- {type: add_condition, conditions: {dataset: cloudtrail}}\n",
    )
    found = load_pipelines([adding]).paths(["eventName", "errorCode"])
    assert found == {"eventName": ("call", "act"), "errorCode": ("errorCode",)}


def test_any_text_can_be_asked_for_as_a_field() -> None:
    odd = ["userIdentity.arn|re", "a|no_such_modifier", "x" * 400, " ", "*"]
    assert load_pipelines(["cloudtrail-ecs"]).paths(odd) == {}
    assert load_pipelines(["cloudtrail-raw"]).paths(odd) == {name: (name,) for name in odd}


def test_the_pipelines_of_installed_plugins_are_found_by_name() -> None:
    loaded = load_pipelines(["dummy_test"])  # pySigma brings it along for its own tests
    assert loaded.names == ("dummy_test",)
    assert loaded.digest == load_pipelines(["dummy_test"]).digest


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="no processing pipeline 'cloudtrail-esc'") as error:
        load_pipelines(["cloudtrail-esc"])
    assert "cloudtrail-ecs" in error.value.cure
    with pytest.raises(UsageError) as error:
        load_pipelines(["nothing like it"])
    assert all(name in error.value.cure for name in SHIPPED)


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        ("a: [", "this is not YAML", 2),
        ("title: A rule", "this is not a processing pipeline", 1),
        ("- a", "this is not a processing pipeline", 1),
        ("transformations: []\nother: 1", "this is not a processing pipeline", 2),
        ("transformations: []\n---\ntransformations: []", "a pipeline is one YAML document", 0),
        ("transformations: []\nname: a\nname: b", "the key 'name' stands here twice", 3),
        ("transformations: []\npriority: high", "a priority must be a whole number", 2),
        ("transformations: []\nvars: []", "vars must be a map", 2),
        (
            "transformations: []\nvars: {osdetect_json_text: x}",
            "osdetect_json_text must be a list of paths",
            2,
        ),
        ("transformations:\n- eventName", "a transformation is a map with a type", 2),
        ("transformations:\n- type: conjure", "there is no transformation 'conjure'", 2),
        ("transformations:\n- type: field_name_mapping", "this is not a processing pipeline", 1),
        (
            "transformations:\n- type: command_placeholders\n  command: id",
            "the transformation command_placeholders is refused",
            2,
        ),
        (
            "transformations:\n- type: nest\n  items:\n  - {type: http_placeholders, url: 'http://[::1]/'}",
            "the transformation http_placeholders is refused",
            4,
        ),
        (
            "transformations: []\npostprocessing: [{type: embed, prefix: x}]",
            "postprocessing has no place here",
            2,
        ),
    ],
)
def test_a_file_that_is_no_pipeline_is_refused_at_its_place(
    tmp_path: Path, text: str, what: str, line: int
) -> None:
    with pytest.raises(UsageError) as error:
        load_pipelines([written(tmp_path, text)])
    assert error.value.what == what
    assert error.value.where is not None
    assert error.value.where.line == line


def test_a_field_that_a_nested_step_refuses_is_named_too(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        """transformations:
- type: nest
  items:
  - {type: field_name_mapping, mapping: {eventName: call}}
  - type: detection_item_failure
    message: not here
    field_name_conditions: [{type: include_fields, fields: [awsRegion]}]
""",
    )
    error = refused(tmp_path, "eventName: x\n        awsRegion: y", file)
    assert (error.what, error.cause) == (
        "the field 'awsRegion' is not in these events",
        f"not here (the pipeline {file})",
    )
    assert error.where is not None
    assert error.where.line == 7


def test_a_pipeline_that_breaks_at_a_rule_refuses_that_rule(tmp_path: Path) -> None:
    file = written(tmp_path, "transformations: [{type: field_name_mapping, mapping: [a]}]")
    error = refused(tmp_path, "eventName: x", file)
    assert "fails at this rule" in error.what
    assert "AttributeError" in error.cause


def test_a_pipeline_that_refuses_a_rule_as_a_whole_says_so(tmp_path: Path) -> None:
    file = written(tmp_path, "transformations: [{type: rule_failure, message: not for us}]")
    error = refused(tmp_path, "eventName: x", file)
    assert "does not take this rule" in error.what
    assert error.cause == "not for us"


def test_the_shipped_files_are_plain_yaml_that_other_tools_read() -> None:
    for name in SHIPPED:
        text = (folder("mappings") / "pipelines" / f"{name}.yml").read_text(encoding="utf-8")
        assert set(yaml.safe_load(text)) <= {"name", "priority", "vars", "transformations"}
