"""Rules whose every text tries to be something else: markup, a script, a formula, an instruction to the terminal."""

import json
from collections.abc import Mapping
from pathlib import Path

MARKUP = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
BREAKOUT = "\"'></code></pre></script><script>document.title='owned'</script>{{ 7*7 }}{% raw %}</title>"
FORMULA = '=HYPERLINK("http://evil.example","x")'
BIDI = "user\u202egnp.exe\u2066\u200b\x1b[31mred\x07"
LINK = "javascript:document.title='owned'//https://a.example"
MARKDOWN = "![x](javascript:alert(1)) [y](http://evil.example) `code` | cell <b> \n\n# head"
LONG = "W" * 1_000_000
STACKED = "Z" + "\u0300\u0489" * 30
TERMINAL = "\x1b]8;;http://evil.example\x1b\\here\x1b]8;;\x1b\\ \x1b]0;owned\x07 \x9b2J \r over \u2028 \x85"
FENCES = "~~~\n```mermaid\ngraph TD; A-->B\n```\n<details>\n[x]: http://evil.example\nhttp://evil.example www.evil.example"
CALLS = (
    "../../../etc/passwd",
    "con",
    "NUL",
    "index",
    "~2",
    "%2e%2e",
    "",
    "=1+1",
    "<b>",
    "\u202eX",
    "x" * 3_000,
)
"""Names of calls, each of which gets a page."""

TEXTS: Mapping[str, str] = {
    "markup": MARKUP,
    "breakout": BREAKOUT,
    "formula": FORMULA,
    "bidi": BIDI,
    "link": LINK,
    "markdown": MARKDOWN,
    "long": LONG,
    "stacked": STACKED,
    "terminal": TERMINAL,
    "fences": FENCES,
}


def identity(number: int) -> str:
    """The id of the rule with this number."""
    return f"00000000-0000-4000-8000-{number:012d}"


def hostile_rule(number: int, text: str) -> str:
    """A rule that has the text wherever a rule can have one."""
    short = text[:8_000]  # a file may have 1 MiB
    rule = {
        "title": text[:250],
        "id": identity(number),
        "status": "test",
        "description": text,
        "author": short,
        "license": short,
        "date": "2026-01-02",
        "references": [text[:5_000], f"https://a.example/{number}"],
        "falsepositives": [short],
        "tags": ["attack.persistence", "attack.t1098.001", f"x.{short[:200]}"],
        "logsource": {"product": "aws", "service": "cloudtrail"},
        "detection": {
            f"s{short[:200]}": {"eventName": short, short[:300].replace("|", ""): [short, "*x*"]},
            "condition": "1 of s*",
        },
        "level": "high",
    }
    return json.dumps(rule)


def write_hostile(folder: Path) -> Path:
    """A folder of such rules, one with very many values, and one harmless rule."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, text) in enumerate(TEXTS.items(), start=1):
        (folder / f"{name}.yml").write_text(hostile_rule(number, text), encoding="utf-8")
    calls = json.loads(hostile_rule(97, "calls"))
    calls["detection"] = {"s": {"eventName": [*CALLS]}, "condition": "s"}
    calls["references"] = [
        "data:text/html,<script>1</script>",
        "//evil.example",
        "JAVASCRIPT:1",
        "file:///etc/passwd",
    ]
    (folder / "calls.yml").write_text(json.dumps(calls), encoding="utf-8")
    wide = json.loads(hostile_rule(98, "wide"))
    wide["detection"] = {"s": {"userAgent": ["<" * 200 + str(n) for n in range(2_000)]}, "condition": "s"}
    (folder / "wide.yml").write_text(json.dumps(wide), encoding="utf-8")
    (folder / "plain.yml").write_text(hostile_rule(99, "plain"), encoding="utf-8")
    return folder
