"""The pages of docs keep their word: links lead on, the reference has every name, pictures show what runs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from inspect import signature
from pathlib import Path
from xml.etree import ElementTree

import pytest

import turnkit
from docsite.__main__ import files
from docsite.hook import PAGES, examples, names_of
from tests.support.doc_blocks import ROOT, blocks, pages
from tests.support.sources import Source, source_of, told
from turnkit.cli.commands import COMMANDS
from turnkit.turns.chart import REPLY_EDGES, USER_EDGES, Edge

DOCS = ROOT / "docs"
SVG = "{http://www.w3.org/2000/svg}"
# Public, though they have no __all__, or are no room.
NAMED_BY_FILE = ("turnkit/wire.py", "turnkit/telemetry.py", "turnkit/turns/chart.py", "turnkit/speaking/espeak.py")


@pytest.mark.parametrize("page", pages())
def test_what_a_page_links_to_exists(page: str) -> None:
    """Every relative link leads to a file, and one with a heading to that heading of a page."""
    text = (ROOT / page).read_text("utf-8")
    for target, heading in re.findall(r"\]\((?!http|#|turnkit)([^)#\s]+)(?:#([^)]*))?\)", text):
        path = (ROOT / page).parent / target
        assert path.exists(), f"{page}: {target}"
        if heading:
            assert heading in headings(path), f"{page}: {target}#{heading}"


def headings(path: Path) -> set[str]:
    """The headings of a page, as links name them."""
    found = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in found}


def test_links_above_docs_lead_to_pages_of_the_site() -> None:
    """The site has a page for each file of the repository that a page links to."""
    for page in pages():
        if page.startswith("docs/"):
            for target in re.findall(r"\]\((?:\.\./)+([^)#\s]+)", (ROOT / page).read_text("utf-8")):
                name = f"{target.rstrip('/').removesuffix('.py')}.md"
                in_docs = (DOCS / target).exists()
                assert in_docs or target in PAGES or name in examples(), f"{page}: {target}"


def test_a_menu_leads_to_every_page() -> None:
    """And every entry of it is a page."""
    menu = (ROOT / "mkdocs.yml").read_text("utf-8").split("\nnav:")[1]
    told = set(re.findall(r"^ *- .*?([\w/-]+\.md)$", menu, re.MULTILINE))
    there = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert told == there | {page for page in PAGES.values() if page.endswith(".md")}


def test_every_command_is_told_of() -> None:
    """In the page of the command line."""
    page = (DOCS / "commands.md").read_text("utf-8")
    told = set(re.findall(r"^\| `turnkit (\w+)", page, re.MULTILINE))
    assert told == set(COMMANDS)


# The reference ------------------------------------------------------------------------------------------------------


def test_the_reference_has_every_public_name() -> None:
    """Of turnkit itself by name, of each room by its list; and nothing twice."""
    text = "\n".join(path.read_text("utf-8") for path in sorted((DOCS / "reference").glob("*.md")))
    named = re.findall(r"^::: turnkit\.(\w+)$", text, re.MULTILINE)
    assert sorted(named) == sorted(turnkit.__all__)
    rooms = re.findall(r"^<!-- reference: (\S+) -->$", text, re.MULTILINE)
    assert sorted(rooms) == sorted(set(rooms) & {module_of(path) for path in front_doors()})
    assert {module_of(path) for path in front_doors()} == set(rooms)


def test_the_reference_has_every_method_of_a_class_that_is_spread_over_pages() -> None:
    """Once, and nothing that there is not."""
    text = "\n".join(path.read_text("utf-8") for path in sorted((DOCS / "reference").glob("*.md")))
    spread = re.findall(r"^::: turnkit\.(\w+)\n    options:\n(?:      .*\n)*?      members: false$", text, re.MULTILINE)
    assert spread == ["Session"]
    told = [
        name
        for names in re.findall(r"^<!-- members: turnkit\.Session \| (.*?) -->$", text, re.M)
        for name in names.split()
    ]
    assert sorted(told) == sorted(name for name in vars(turnkit.Session) if name[0] != "_")


def front_doors() -> Iterable[Path]:
    """The files that say in `__all__` what their room gives to others, but what the front page of turnkit passes on."""
    for path in sorted((ROOT / "turnkit").rglob("*.py")):
        inside = path.relative_to(ROOT).as_posix()
        listed = re.search(r"^__all__ = \[", path.read_text("utf-8"), re.MULTILINE)
        is_room = path.name == "__init__.py" or inside.startswith("turnkit/interop/")
        inner = inside.startswith("turnkit/interop/web/") and path.name != "__init__.py"
        front = inside in ("turnkit/__init__.py", "turnkit/cli/__init__.py")  # the latter is told by --help
        if inside in NAMED_BY_FILE or (listed and is_room and not inner and not front):
            yield path


def module_of(path: Path) -> str:
    """The name under which a file is imported."""
    return path.relative_to(ROOT).as_posix().removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def test_a_default_is_a_value_that_users_can_read() -> None:
    """What the reference shows is the source: a private name there would say nothing."""
    found = 0
    for path in sorted((ROOT / "turnkit").rglob("*.py")):
        for owner in ast.walk(ast.parse(path.read_text("utf-8"))):
            for default in defaults_of(owner):
                found += 1
                private = [node.id for node in ast.walk(default) if isinstance(node, ast.Name) and node.id[0] == "_"]
                assert private == [], f"{path}:{default.lineno}"
    assert found > 500


def defaults_of(owner: ast.AST) -> Iterable[ast.expr]:
    """Those of the parameters of a public function, and of the fields of a public class."""
    match owner:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if name == "__init__" or name[0] != "_":
            yield from owner.args.defaults
            yield from (default for default in owner.args.kw_defaults if default is not None)
        case ast.ClassDef(name=name) if name[0] != "_":
            for field in owner.body:
                if isinstance(field, ast.AnnAssign) and field.value and ast.unparse(field.target)[0] != "_":
                    yield field.value
        case _:
            pass


def public_sources() -> Iterable[Source]:
    """Every function and class that the reference shows, once."""
    seen = set()
    front = ROOT / "turnkit/__init__.py"
    given = [(front, turnkit.__all__), *((door, names_of(door)) for door in front_doors())]
    for door, names in given:
        for name in names:
            source = source_of(door, name)
            assert source is not None or door != front or name.isupper() or name.endswith(("Event", "Signal")), name
            if source is not None and source.node not in seen:
                seen.add(source.node)
                yield source


def test_no_parameter_goes_without_a_word() -> None:
    """The docstring names each: of functions and methods, and what objects are made of; in a room, if there are two."""
    seen, unsaid = 0, []
    for source in public_sources():
        for one in told(source):
            seen += len(one.given)
            if len(one.given) > 1 or source.node.name in turnkit.__all__:
                unsaid += [f"{one.name}({name})" for name in one.unsaid]
    assert unsaid == []
    assert seen > 900


def test_who_writes_see_has_told_what_stands_there(tmp_path: Path) -> None:
    """What another docstring explains need not be said twice, and what none does is found."""
    page = tmp_path / "page.py"
    page.write_text(
        "class A:\n"
        "    def put(self, name, place):\n"
        "        'Put `name` at its `place`.'\n"
        "class B:\n"
        "    'Made by `a`.'\n"
        "    x: int\n"
        "    def __init__(self, x, y): ...\n"
        "    def put(self, name, place, mode):\n"
        "        'See `A.put`.'\n"
    )
    source = source_of(page, "B")
    assert source is not None
    fields, method = told(source)
    assert (fields.name, fields.given) == ("B", ["x"])
    assert method.unsaid == ["mode"]


@pytest.mark.parametrize("path", sorted((DOCS / "reference").glob("*.md")), ids=lambda path: path.stem)
def test_a_page_of_the_reference_begins_with_an_example(path: Path) -> None:
    """Before the first name: how it is used, in lines that run."""
    before, _, _ = path.read_text("utf-8").partition("\n::: ")
    before, _, _ = before.partition("\n<!-- reference:")
    assert path.stem == "index" or "```python\n" in before or "```sh\n" in before


def test_names_are_found_as_they_are_exported(tmp_path: Path) -> None:
    """By the list, or by what is defined and not private."""
    listed, free = tmp_path / "listed.py", tmp_path / "free.py"
    listed.write_text("__all__ = ['a']\ndef a(): ...\ndef b(): ...\n")
    free.write_text("class A: ...\ndef _b(): ...\nasync def c(): ...\nd = 1\n")
    assert names_of(listed) == ["a"]
    assert names_of(free) == ["A", "c"]


def test_every_page_that_is_included_is_there_with_its_part() -> None:
    """A table that stands on two pages stands in one file."""
    found = 0
    for page in pages():
        for path, part in re.findall(r"<!-- include: (\S+?)(?: \| (\w+))? -->", (ROOT / page).read_text("utf-8")):
            text = ((ROOT / page).parent / path).read_text("utf-8")
            if part:
                assert text.count(f"<!-- {part} -->") == text.count(f"<!-- /{part} -->") == 1, (
                    f"{page}: {path} | {part}"
                )
            found += 1
    assert found >= 3


def test_figures_that_are_told_twice_are_the_same() -> None:
    """Tables are included; what the page of numbers says in a line stands on the page that it leads to."""
    rows = re.findall(
        r"^\| (.*?) \| \[[^\]]*\]\(([^)#]+)#?[^)]*\) \|$", (DOCS / "numbers.md").read_text("utf-8"), re.MULTILINE
    )
    assert len(rows) >= 6
    for said, target in rows:
        text = (DOCS / target).read_text("utf-8")
        for path, _ in re.findall(r"<!-- include: (\S+?)(?: \| (\w+))? -->", text):
            text += (DOCS / path).read_text("utf-8")
        for figure in re.findall(r"\d[\d,.]*", re.sub(r"p50|p95", "", said)):
            assert re.search(rf"(?<![\d.,]){re.escape(figure.rstrip(',.'))}(?![\d])", text), (said, figure)


@pytest.mark.parametrize("page", ["moving", "bot", "greetings", "transfer", "tools"])
def test_what_a_page_says_of_sessions_and_replies_they_have(page: str) -> None:
    """Methods, and arguments of `Session`; of what the frameworks call so, only the page's left column tells."""
    text = (DOCS / f"{page}.md").read_text("utf-8")
    text = re.sub(r"^\|.*?(?<!\\)\|", "", text, flags=re.MULTILINE)
    said = re.findall(r"\b(session|reply)\.(\w+)", text)
    owners = {"session": turnkit.Session, "reply": turnkit.Reply}
    slots = {"turn", "key", "messages", "transcript", "id", "reply"}  # given at the beginning, and no property
    assert said
    assert [pair for pair in said if not hasattr(owners[pair[0]], pair[1]) and pair[1] not in slots] == []
    taken = signature(turnkit.Session).parameters
    given = [name for inside in re.findall(r"\bSession\(([^`]*?)\)`", text) for name in re.findall(r"(\w+)=", inside)]
    assert set(given) <= {*taken, "seconds"}


def test_code_is_seen_whole() -> None:
    """So many columns of code fit beside the menu of a page; who reads a longer line has to scroll."""
    seen = [block for page in pages() for block in blocks(page) if block.language in ("python", "sh", "html")]
    long = [
        f"{block.page}:{block.line + number}"
        for block in seen
        for number, line in enumerate(block.code.splitlines())
        if len(line) > 100
    ]
    assert [place for place in long if not place.startswith("docs/many-recordings.md")] == []


def test_a_page_is_short() -> None:
    """A how-to is read in five minutes; what needs more has a reason."""
    longer = {"docs/many-recordings.md": 2_600}  # a million recordings, from the first to the last
    for page in pages():
        words = len(re.sub(r"<!--.*?-->", "", (ROOT / page).read_text("utf-8"), flags=re.DOTALL).split())
        assert words <= longer.get(page, 1_600), page


# The pictures -------------------------------------------------------------------------------------------------------


def test_the_pictures_are_as_they_are_drawn() -> None:
    """Nobody has changed one by hand, or what draws it without drawing it."""
    for path, text in files().items():
        assert path.read_text("utf-8") == text, "run `python -m docsite`"


@pytest.mark.parametrize(("name", "edges"), [("user", USER_EDGES), ("reply", REPLY_EDGES)])
def test_a_chart_shows_what_runs(name: str, edges: tuple[Edge, ...]) -> None:
    """Each edge that moves something, with all that takes it, read back from the picture itself."""
    root = ElementTree.parse(DOCS / "pictures" / f"{name}.svg").getroot()
    drawn = {
        (group.attrib["data-from"], group.attrib["data-to"], text.text)
        for group in root.iter(f"{SVG}g")
        if "data-from" in group.attrib
        for text in group.iter(f"{SVG}text")
    }
    assert drawn == {(edge.source.value, edge.dest.value, edge.move.value) for edge in edges if edge.dest is not None}
    surprises = {text.text for text in root.iter(f"{SVG}text") if text.get("class") == "small slant"}
    told = {edge.move.value for edge in edges if edge.dest is not None and edge.surprise}
    assert {text for text in surprises if text and not text.startswith("slanted")} == told


@pytest.mark.parametrize("path", sorted((DOCS / "pictures").glob("*.svg")), ids=lambda path: path.stem)
def test_a_picture_reads_by_itself(path: Path) -> None:
    """It says what it shows, its words are inside of it, it has both palettes, and fetches nothing."""
    text = path.read_text("utf-8")
    root = ElementTree.fromstring(text)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    assert root.findtext(f"{SVG}title")
    assert len(root.findtext(f"{SVG}desc") or "") > 80
    for word in root.iter(f"{SVG}text"):
        x, y = float(word.attrib["x"]), float(word.attrib["y"])
        about = 6.2 * len(word.text or "")
        left = x - {"start": 0, "middle": about / 2, "end": about}[word.attrib["text-anchor"]]
        assert left >= 0, word.text
        assert left + about <= width, word.text
        assert 10 <= y <= height - 4, word.text
    assert "prefers-color-scheme:dark" in text
    assert re.findall(r"(?:href|src)=|url\((?!#)|https?://(?!www\.w3\.org/2000/svg)", text) == []
