"""The hook that mkdocs runs: what stands elsewhere in the repository gets a page, and pictures become part of theirs.

In the pages' Markdown, `<!-- include: ../benchmarks/RESULTS.md -->` is replaced by that file (with `| measured`, by
what stands between `<!-- measured -->` and `<!-- /measured -->`), `<!-- reference: turnkit.testing -->` by all that
this module exports, and `<!-- members: turnkit.Session | on observe -->` by these members of a class. A link to a file
above `docs/` leads to its page, or fails the build.
`<!-- searched as: deploy, docker -->` has the search lead to a page by words that it does not say of itself.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    "benchmarks/RESULTS.md": "results.md",
    "tests/field/PAINS.md": "pains.md",
    "tests/field/fault_matrix.txt": "fault_matrix.txt",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "LICENSE": "license.txt",
}
"""Files above `docs/`, and where they stand in the site."""


def examples() -> dict[str, str]:
    """The examples, each as a page: what its docstring says, and its source."""
    found = {}
    for path in sorted((ROOT / "examples").iterdir()):
        if path.suffix == ".py":
            said, source = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "", path.read_text("utf-8")
            code = source.split('"""', 2)[2].strip()
            found[f"examples/{path.stem}.md"] = f"# {path.name}\n\n{said}\n\n```python\n{code}\n```\n"
        elif path.suffix == ".html":
            found[f"examples/{path.name}.md"] = f"# {path.name}\n\n```html\n{path.read_text('utf-8')}\n```\n"
        elif path.is_dir() and not path.name.startswith("_"):
            sources = "\n\n".join(
                f"## {file.name}\n\n```python\n{file.read_text('utf-8')}```" for file in sorted(path.glob("*.py"))
            )
            found[f"examples/{path.name}.md"] = f"# {path.name}\n\n{sources}\n"
    return found


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what does not stand in `docs/`."""
    from mkdocs.structure.files import File

    for source, page in PAGES.items():
        text = (ROOT / source).read_text("utf-8")
        if page.endswith(".md"):
            text = re.sub(r"\]\((?:\.\./)?docs/", "](", text)
            text = re.sub(r"\]\((?=examples/|tests/|benchmarks/|[A-Z]+\.md|LICENSE)", "](../", text)
        files.append(File.generated(config, page, content=text))
    for page, text in examples().items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put in what is included, and lead links to the pages that stand for files."""
    page.meta["search"] = {"boost": _weight(page.file.src_uri)}
    if words := re.search(r"^<!-- searched as: (.*?) -->$", markdown, flags=re.MULTILINE):
        page.meta["tags"] = words[1].split(", ")
    docs = Path(config.docs_dir)
    markdown = re.sub(r"<!-- include: (\S+?)(?: \| (\w+))? -->", lambda found: _included(docs, found), markdown)
    markdown = re.sub(r"<!-- reference: (\S+) -->", lambda found: _exported(found[1]), markdown)
    markdown = re.sub(r"<!-- members: (\S+) \| (.*?) -->", lambda found: _members(found[1], found[2].split()), markdown)
    markdown = re.sub(r"^<!-- .*?-->\n", "", markdown, flags=re.DOTALL | re.MULTILINE)  # what is for the tests
    return re.sub(r"\]\(((?:\.\./)+)([^)#\s]+)(#[^)\s]*)?\)", lambda found: _link(page, found), markdown)


def _weight(page: str) -> float:
    """What the search makes of a page: who types a word wants to be told of it, and then the reference or a source."""
    return 0.01 if page.startswith(("reference/", "examples/")) or page in PAGES.values() else 1.0


def _included(docs: Path, found: re.Match[str]) -> str:
    text = (docs / found[1]).resolve().read_text("utf-8")
    if found[2]:
        _, begun = text.split(f"<!-- {found[2]} -->")
        part, _ = begun.split(f"<!-- /{found[2]} -->")
        return part.strip()
    return re.sub(r"(?m)^#+ ", lambda head: f"#{head[0]}", text)


def _link(page: Page, found: re.Match[str]) -> str:
    """Where a link to a file above `docs/` leads in the site; as it is, it would fail the build."""
    here = page.file.src_uri.count("/")
    ups = found[1].count("../")
    if ups != here + 1:
        return found[0]
    target, up = found[2].rstrip("/"), "../" * here
    if target in PAGES:
        return f"]({up}{PAGES[target]}{found[3] or ''})"
    if target.startswith("examples/"):
        return f"]({up}{target.removesuffix('.py')}.md)"
    return found[0]


def _exported(module: str) -> str:
    """What a module says of itself, and a heading of mkdocstrings for each name that only it exports."""
    path = ROOT / module.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(path.read_text("utf-8"))
    elsewhere = front_names()
    names = names_of(path)
    lines = [f"::: {module}\n    options:\n      members: false\n      heading_level: 2"]
    if also := sorted(elsewhere & set(names)):
        lines.append("Also here: " + ", ".join(f"[{name}][turnkit.{name}]" for name in also) + ".")
    assert ast.get_docstring(tree)
    lines += [f"::: {module}.{name}\n    options:\n      heading_level: 3" for name in names if name not in elsewhere]
    return "\n\n".join(lines)


def front_names() -> set[str]:
    """What `turnkit` itself gives: the pages of the reference name each, which a test holds them to."""
    pages = sorted((ROOT / "docs/reference").glob("*.md"))
    return {name for page in pages for name in re.findall(r"(?m)^::: turnkit\.(\w+)$", page.read_text("utf-8"))}


def _members(owner: str, names: list[str]) -> str:
    """A heading of mkdocstrings for each of these members, by the name of the class and its own."""
    called = owner.rpartition(".")[2]
    options = (
        "    options:\n      heading_level: 3\n      heading: {0}.{1}\n      toc_label: '{1}'"  # `on` would be a truth
    )
    return "\n\n".join(f"::: {owner}.{name}\n{options.format(called, name)}" for name in names)


def names_of(path: Path) -> list[str]:
    """What a file exports: the list in its `__all__`, or, without one, what is defined in it and not private."""
    tree = ast.parse(path.read_text("utf-8"))
    public: list[str] = []
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=ast.List(elts=elements)):
                return [str(ast.literal_eval(element)) for element in elements]
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                if not name.startswith("_") and name not in public:
                    public.append(name)
            case _:
                pass
    return public


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Make pictures a part of the page: they follow its colours. Their words can be copied; the search has prose."""
    pictures = Path(config.docs_dir) / "pictures"

    def drawn(path: Path, more: str = "") -> str:
        svg = re.sub("<style>.*?</style>", "", path.read_text("utf-8"), flags=re.DOTALL)
        return f'<div class="picture{more}" data-search-exclude>{svg}</div>'

    def inline(found: re.Match[str]) -> str:
        wide, narrow = pictures / f"{found[1]}.svg", pictures / f"{found[1]}-narrow.svg"
        if narrow.exists():
            return drawn(wide, " wide") + drawn(narrow, " narrow")
        return drawn(wide)

    html = re.sub(r"(?<=<td>)(?:(?!</td>).)*", lambda cell: _breaking(cell[0]), html, flags=re.DOTALL)
    return re.sub(r'<img [^>]*src="(?:\.\./)*pictures/([\w-]+)\.svg"[^>]*/?>', inline, html)


def _breaking(cell: str) -> str:
    """A cell of a table: where long code may be broken, and ranges may not; an address is told in short."""

    def broken(found: re.Match[str]) -> str:
        after = "(,=/_" if len(found[1]) > 40 else "(,=/"
        code = re.sub(rf"(?<=\w)(?=[.]\w)|(?<=[{after}])(?=\w)|(?<=::)", "<wbr>", found[1])
        return f"<code>{code if len(found[1]) > 19 else found[1]}</code>"

    cell = re.sub(r">https://github\.com/[\w-]+/([\w.-]+)/(?:issues|pull)/(\d+)</a>", r">\1 \2</a>", cell)
    cell = re.sub(r">https://([^<]*)</a>", lambda link: f">{re.sub('(?<=[/-])', '<wbr>', link[1])}</a>", cell)
    cell = re.sub(r"(?<=\d)–(?=\d)", "&#8288;–&#8288;", cell)
    return re.sub(r"<code>([^<]*)</code>", broken, cell)
