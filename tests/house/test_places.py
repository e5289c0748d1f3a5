"""The tests stand in folders that mirror what they test, so that whoever changes a folder knows which tests to run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.package_source import ROOT

TESTS = ROOT / "tests"
# What is tested beside the package, and what is tested of all of it at once.
OTHERS = {
    "benchmarks": "what benchmarks/ measures and how",
    "examples": "every bot of examples/",
    "field": "what goes wrong in production, played against the whole: PAINS.md and the table of faults",
    "house": "the rules of this repository, its pages and the code in them",
    "proof": "the machine against a second reading of its rules, both against broken ones; the client's protocol too",
    "support": "no tests: what several of them need",
    "interop/clients": "no tests: calls by other people's clients, for client_matrix.py",
}
FOLDERS = sorted(path.parent.relative_to(TESTS).as_posix() for path in TESTS.rglob("__init__.py"))
FILES = sorted(path.relative_to(TESTS).as_posix() for path in TESTS.rglob("test_*.py"))


def room_of(folder: str, package: Path) -> bool:
    """Whether a folder of tests has the name of a folder or of a file of the package."""
    return (package / folder).is_dir() or (package / f"{folder}.py").is_file()


def home_of(path: str, package: Path) -> str:
    """The folder in which a test file belongs: the deepest that its name begins with, from where it stands."""
    folder, _, name = path.rpartition("/")
    subject = name.removeprefix("test_").removesuffix(".py")
    here = package / folder
    if folder.partition("/")[0] in OTHERS or not here.is_dir():
        return folder
    inner = [one.name for one in here.iterdir() if (one / "__init__.py").is_file()]
    names = [one for one in inner if subject == one or subject.startswith(f"{one}_")]
    if not folder and not (package / f"{subject}.py").is_file() and not names:
        return "a folder of its own"
    return "/".join(filter(None, [folder, max(names, key=len)])) if names else folder


def test_a_folder_of_tests_mirrors_one_of_the_package() -> None:
    """Or it is one of the few that say what else they are for."""
    strange = [folder for folder in FOLDERS if not room_of(folder, ROOT / "turnkit")]
    assert set(strange) <= {".", *OTHERS}


def test_a_test_stands_where_its_name_leads() -> None:
    """What is called after a folder of the package stands in its folder; beside the folders stand single files only."""
    homes = {path: home_of(path, ROOT / "turnkit") for path in FILES}
    assert {path: home for path, home in homes.items() if home != path.rpartition("/")[0]} == {}


def test_what_has_no_place_any_more_is_found() -> None:
    """A folder that the package has not, and one of the others that is gone."""
    assert not room_of("tuner", ROOT / "turnkit")
    assert [one for one in OTHERS if not (TESTS / one).is_dir()] == []


@pytest.mark.parametrize(
    ("path", "home"),
    [
        ("tools/test_tuner_parts.py", "tools/tuner"),
        ("tools/tuner/test_parts.py", "tools/tuner"),
        ("tools/test_demo.py", "tools"),
        ("interop/test_web.py", "interop/web"),
        ("test_flux_audio.py", "flux"),
        ("test_errors.py", ""),
        ("test_anything.py", "a folder of its own"),
        ("house/test_tools.py", "house"),
    ],
)
def test_the_home_of_a_test_is_told(path: str, home: str) -> None:
    """By its name and by the folders that there are."""
    assert home_of(path, ROOT / "turnkit") == home
