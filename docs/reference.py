"""Reference pages made from program, catalogue and preview: `python -m docs.reference write|check`.

docs/generated/components.md      every component: what it is given, gives and makes, and its controls
docs/generated/residency.md       per stack: where everything lies, and what keeps it there
docs/generated/ftr-checklist.md   clauses of the AWS Foundational Technical Review, and what answers them
docs/generated/control-matrix.md  rows of the requirements, controls, clauses, and the tests that judge them
"""

from __future__ import annotations

import ast
import re
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import controls
import guardrails
import settings
from controls.frameworks import load as load_frameworks
from controls.frameworks import mapped
from controls.rows import load_rows, served
from guardrails.model import Planned
from guardrails.residency import REGION_NAME, regions_of
from twin import program

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "docs" / "generated"
FOLDERS = ("network", "storage", "iam", "edge", "detection", "nodes")
HEAD = "<!-- Made by `python -m docs.reference write`; a test fails when it is stale. -->\n\n"
# What holds data, copies of it, or traces of who did what; the rest is configuration.
STORES = (
    "s3/bucket:Bucket",
    "cloudwatch/logGroup:LogGroup",
    "kms/key:Key",
    "sqs/queue:Queue",
    "sns/topic:Topic",
    "backup/vault:Vault",
    "cloudtrail/trail:Trail",
    "secretsmanager/secret:Secret",
    "cloudwatch/eventArchive:EventArchive",
    "ec2/launchTemplate:LaunchTemplate",
)


@dataclass(frozen=True)
class Component:
    """One component class, as its source tells it."""

    token: str  # e.g. storage:Bucket
    path: str
    doc: str
    module_doc: str
    given: list[tuple[str, str]]  # field of the arguments' dataclass, type
    given_doc: str
    gives: list[tuple[str, str]]  # annotated attribute, type


def components() -> list[Component]:
    """Every `ComponentResource` of the program's folders, by token."""
    found = [
        made for folder in FOLDERS for path in sorted((ROOT / folder).glob("*.py")) for made in _in(path)
    ]
    return sorted(found, key=lambda one: one.token)


def _in(path: Path) -> Iterator[Component]:
    tree = ast.parse(path.read_text())
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    for node in classes.values():
        token = re.search(r'"stockade:(\w+:\w+)"', ast.unparse(node).replace("'", '"'))
        if token is None or not any("ComponentResource" in ast.unparse(base) for base in node.bases):
            continue
        arguments = classes.get(f"{node.name}Args")
        yield Component(
            token=token[1],
            path=str(path.relative_to(ROOT)),
            doc=_doc(node),
            module_doc=_doc(tree),
            given=_fields(arguments) if arguments else [],
            given_doc=_doc(arguments) if arguments else "",
            gives=_fields(node),
        )


def _doc(node: ast.Module | ast.ClassDef) -> str:
    return "\n\n".join(" ".join(part.split()) for part in (ast.get_docstring(node) or "").split("\n\n"))


def _fields(node: ast.ClassDef) -> list[tuple[str, str]]:
    return [
        (item.target.id, ast.unparse(item.annotation))
        for item in node.body
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
    ]


def plans() -> dict[str, list[Planned]]:
    """Per stack file the plan of a preview without an account."""
    found = {}
    for path in sorted(ROOT.glob("Pulumi.*.yaml")):
        stack = path.name.split(".")[1]
        with tempfile.TemporaryDirectory() as build:
            run = program.run(stack, None, "preview", root=ROOT, build=Path(build))
        found[stack] = cast(list[Planned], list(run.planned))
    return found


# ---------------------------------------------------------------------- pages
def component_pages(planned: dict[str, list[Planned]]) -> str:
    """One section a component."""
    made: dict[str, Counter[str]] = defaultdict(Counter)
    for resource in planned["in-mumbai"]:
        above = [t for t in resource["urn"].split("::")[2].split("$")[:-1] if t.startswith("stockade:")]
        if above and resource["type"].startswith("aws:"):
            made[above[-1].removeprefix("stockade:")][resource["type"].removeprefix("aws:")] += 1
    provides: dict[str, list[str]] = defaultdict(list)
    for control in controls.load(ROOT).values():
        for room, name in re.findall(r"\b([a-z]+):([A-Z]\w+)", control.provided_by):
            provides[f"{room}:{name}"].append(f"{control.id} {control.title}")
    everything = components()
    lines = [
        HEAD + "# Components",
        "",
        "What the program is made of. Counts are those of the stack `in-mumbai`.",
        "",
    ]
    lines += [
        f"- [{one.token}](#{one.token.replace(':', '').lower()}) {_first(one.doc)}" for one in everything
    ]
    for one in everything:
        lines += _component(one, made[one.token], provides[one.token])
    return "\n".join(lines) + "\n"


def _first(text: str) -> str:
    return re.split(r"(?<=[.!?])\s", text)[0]


def _component(one: Component, made: Counter[str], provides: list[str]) -> list[str]:
    lines = ["", f"## {one.token}", "", one.doc, "", f"Source: `{one.path}`. {_first(one.module_doc)}"]
    if one.given:
        lines += ["", f"**Given.** {one.given_doc}", "", "| argument | type |", "| --- | --- |"]
        lines += [f"| `{name}` | `{_cell(kind)}` |" for name, kind in one.given]
    if one.gives:
        lines += ["", "| gives | type |", "| --- | --- |"]
        lines += [f"| `{name}` | `{_cell(kind)}` |" for name, kind in one.gives if not name.startswith("_")]
    if made:
        lines += [
            "",
            "**Makes.** " + ", ".join(f"{number} `{kind}`" for kind, number in sorted(made.items())),
        ]
    else:
        lines += ["", "**Makes.** Nothing by itself in this stack."]
    if provides:
        lines += ["", "**Provides.**", "", *(f"- {text}" for text in sorted(provides))]
    return lines


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def residency_page(planned: dict[str, list[Planned]]) -> str:
    """Per stack: the bounds, every store with its region, and whatever names another region."""
    lines = [
        HEAD + "# Residency statement",
        "",
        "Where the data of each stack may lie, where everything that holds data does lie, and what names",
        "another place. The gates of the area `residency` stop a plan that breaks it; the controls",
        "`STK-REG-*` judge the account itself.",
    ]
    for stack, plan in planned.items():
        lines += ["", *_residency(stack, plan)]
    gates = guardrails.AREAS["residency"]
    lines += ["", "## What keeps it so", ""]
    lines += [f"- gate `{gate.__name__}`: {' '.join((gate.__doc__ or '').split())}" for gate in gates]
    named = [c for c in controls.load(ROOT).values() if c.id.startswith("STK-REG")]
    lines += [f"- control {control.id}: {control.title}" for control in named]
    return "\n".join(lines) + "\n"


def _residency(stack: str, plan: list[Planned]) -> list[str]:
    stated = settings.load(stack, ROOT)
    lines = [
        f"## {stack}",
        "",
        f"Jurisdiction **{stated.residency.jurisdiction}**; allowed regions "
        + ", ".join(f"`{region}`" for region in stated.residency.allowed_regions)
        + f"; the stack lies in `{stated.region}`.",
        "",
        "| what holds data | number | region |",
        "| --- | --- | --- |",
    ]
    where: dict[tuple[str, str], int] = Counter()
    elsewhere: set[str] = set()
    for resource in plan:
        kind = resource["type"].removeprefix("aws:")
        region = str(resource["inputs"].get("region") or stated.region)
        if kind in STORES:
            where[kind, region] += 1
        if resource["type"].startswith("aws:"):
            elsewhere |= {
                f"`{resource['name']}` ({kind}): {path} names `{named}`"
                for path, named in regions_of(resource)
                if named != stated.region and REGION_NAME.fullmatch(named)
            }
    lines += [f"| {kind} | {number} | `{region}` |" for (kind, region), number in sorted(where.items())]
    lines += ["", "Named outside the stack's own region (all inside the allowed set):", ""]
    lines += [f"- {text}" for text in sorted(elsewhere)] or ["- nothing"]
    return lines


def ftr_page() -> str:
    """The checklist, each clause with what answers it."""
    framework, catalogue = load_frameworks(ROOT)["aws-ftr"], controls.load(ROOT)
    lines = [
        HEAD + f"# {framework.title}",
        "",
        f"Version {framework.version}; ids read on {framework.read} from <{framework.source}>.",
        "Titles are ours.",
        "A clause is answered by controls, each verified by `make verify`, or says why none does.",
    ]
    section = ""
    for clause in framework.clauses:
        if clause.section != section:
            section = clause.section
            lines += ["", f"## {section}", "", "| clause | title | answered by |", "| --- | --- | --- |"]
        names = clause.answered_by(catalogue)
        if clause.controls and not names:
            raise SystemExit(f"{clause.id}: {', '.join(clause.controls)} matches no control of the catalogue")
        shown = ", ".join(names) if names else f"_{clause.reason}_"
        lines.append(f"| {clause.id} | {clause.title} | {shown} |")
    return "\n".join(lines) + "\n"


def matrix_page() -> str:
    """Row → controls → tests, and how many clauses of each framework are answered."""
    catalogue = controls.load(ROOT)
    lines = [
        HEAD + "# Control matrix",
        "",
        f"{len(catalogue)} controls. A row is a requirement; each control under it names its tests.",
        "How a control is brought about, read and taken back stands in its file under controls/catalogue.",
        "",
        "## Frameworks",
        "",
        "| framework | clauses | answered by controls | with a reason why not |",
        "| --- | --- | --- | --- |",
    ]
    for framework in mapped(load_frameworks(ROOT), catalogue):
        answered = sum(1 for clause in framework["clauses"] if clause["controls"])
        whole = len(framework["clauses"])
        name = f"{framework['title']} {framework['version']}"
        lines.append(f"| {name} | {whole} | {answered} | {whole - answered} |")
    for row in load_rows(ROOT):
        kind = " (procedure)" if row.procedure else ""
        lines += ["", f"## {row.id} {row.title}{kind}", ""]
        names = served(row, catalogue)
        lines += (
            [f"_{row.reason}_"] if not names else ["| control | severity | tests |", "| --- | --- | --- |"]
        )
        for name in names:
            control = catalogue[name]
            tests = "<br>".join(f"`{test.removeprefix('tests/')}`" for test in control.verified_by)
            lines.append(f"| {name} {_cell(control.title)} | {control.severity} | {tests} |")
    return "\n".join(lines) + "\n"


def pages() -> dict[str, str]:
    """Name → text of every page."""
    planned = plans()
    return {
        "components.md": component_pages(planned),
        "residency.md": residency_page(planned),
        "ftr-checklist.md": ftr_page(),
        "control-matrix.md": matrix_page(),
    }


def main(arguments: list[str]) -> int:
    """`write` or `check`."""
    if arguments not in (["write"], ["check"]):
        print("usage: python -m docs.reference write | check", file=sys.stderr)
        return 2
    stale = []
    made: dict[str, Any] = pages()
    for name, text in made.items():
        path = OUT / name
        if arguments == ["write"]:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    for name in stale:
        print(f"docs/generated/{name} is stale: python -m docs.reference write", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
