"""The house keeps its shape: who imports whom, what the core may touch, how long anything may get."""

import ast
import re
from pathlib import Path

import pytest
import source_rules
from repository import LAYERS, ROOT, layer_files, project_files

SOURCES = [path for path in layer_files() if path.suffix == ".py"]
SCRIPTS = [
    path for path in project_files() if path.suffix == ".py" and path.parts[0] in {"tools", "benchmarks", "examples"}
]

# Those that await providers, do chores, hold drills, tell receivers, wait for the ledger, drive requests, know the
# clock, the dice and the ids, know which engines run on a loop, hold the tasks, and the threads of receivers that may
# hang.
IMPURE = {
    Path("engine") / f"{name}.py"
    for name in (
        "calling",
        "chores",
        "courier",
        "drilling",
        "edge",
        "hooks",
        "messenger",
        "notices",
        "opening",
        "quote_round",
        "quotes",
        "runner",
        "running",
        "system",
        "tasks",
        "threads",
    )
}
CORE = [path for path in SOURCES if path.parts[0] in {"events", "projections", "engine"} and path not in IMPURE]

# Where whatever comes must be caught: what a provider's code throws has to become an event, what a chore throws an
# alert, what a receiver throws goes to whoever awaits it, and a command ends with a sentence and an exit code.
BOUNDARIES = {
    Path("engine/calling.py"),
    Path("engine/chores.py"),
    Path("engine/courier.py"),
    Path("engine/hooks.py"),
    Path("engine/threads.py"),
    Path("adapters/cli/__init__.py"),
    Path("adapters/cli/main.py"),
}

FILE_WALL = 300

# Put together here, so that this file does not name what it looks for.
REGISTRY_HOST = re.compile(r"\b(?:pypi|pythonhosted|npmjs|conda|anaconda)\.(?:org|io|com)\b")
MACHINE_PATH = re.compile(r"(?<![\w.:/}$*-])/(?:home|Users|root|work|workspace|opt)/\w|\b[A-Z]:\\Users")


@pytest.mark.parametrize("path", SOURCES + SCRIPTS, ids=str)
def test_a_file_keeps_the_rules_of_the_house(path: Path) -> None:
    source = (ROOT / path).read_text(encoding="utf-8")
    tree = ast.parse(source, filename=str(path))
    assert source.count("\n") <= FILE_WALL, f"{path} has outgrown its wall"
    assert source_rules.long_functions(tree) == [], "no function outgrows its wall"
    if path in SOURCES:
        assert source_rules.breaches_of_layers(tree, layer=path.parts[0]) == [], "a layer imports what stands before it"
    if path in CORE:
        assert source_rules.impurities(tree) == [], "the core touches neither clock nor dice nor network"
    if path not in BOUNDARIES:
        assert source_rules.broad_excepts(tree) == [], "nothing but a boundary catches every exception"


def test_no_file_names_a_package_registry_or_a_path_of_one_machine() -> None:
    found = [
        f"{path}:{number}: {line.strip()}"
        for path in project_files()
        for number, line in enumerate(_text(ROOT / path).splitlines(), start=1)
        if REGISTRY_HOST.search(line) or MACHINE_PATH.search(line)
    ]
    assert found == []


def test_the_namespace_itself_has_no_code() -> None:
    strays = {Path("__init__.py"), Path("understudy/__init__.py")} & set(project_files())
    assert strays == set()


@pytest.mark.parametrize("layer", LAYERS)
def test_each_layer_has_a_face_and_promises_types(layer: str) -> None:
    assert {Path(layer, "__init__.py"), Path(layer, "py.typed")} <= set(layer_files())


@pytest.mark.parametrize(
    ("layer", "line"),
    [
        ("events", "from understudy.projections import Lane"),
        ("engine", "import understudy.adapters.stores"),
        ("engine", "from understudy import replay"),
        ("engine", "from .score import score"),
        ("adapters", "from engine.score import score"),
        ("events", "if TYPE_CHECKING:\n    from understudy.engine import Policy"),
        ("events", "def late():\n    import understudy.replay.verify"),
    ],
)
def test_an_import_against_the_order_is_found(layer: str, line: str) -> None:
    assert source_rules.breaches_of_layers(ast.parse(line), layer=layer)


@pytest.mark.parametrize(
    "line",
    [
        "import time",
        "from os.path import join",
        "def late():\n    import random",
        "if TYPE_CHECKING:\n    import socket",
        "if TYPE_CHECKING:\n    pass\nelse:\n    import asyncio",
        "at = datetime.now()",
        "key = hash(name)",
        "ids.uuid4()",
    ],
)
def test_a_way_out_of_the_pure_core_is_found(line: str) -> None:
    assert source_rules.impurities(ast.parse(line))


def test_a_port_may_name_a_future_in_its_types() -> None:
    assert source_rules.impurities(ast.parse("if TYPE_CHECKING:\n    import asyncio")) == []


@pytest.mark.parametrize("caught", ["", " Exception", " (ValueError, BaseException)", " builtins.Exception"])
def test_a_handler_that_catches_everything_is_found(caught: str) -> None:
    assert source_rules.broad_excepts(ast.parse(f"try:\n    f()\nexcept{caught}:\n    pass"))


def test_a_function_is_measured_without_its_docstring() -> None:
    body = "    x = 1\n" * 39
    assert source_rules.long_functions(ast.parse(f'def f():\n    """One.\n\n    Two.\n    """\n{body}')) == []
    assert source_rules.long_functions(ast.parse(f"def f():\n{body}    x = 2\n"))


def _text(path: Path) -> str:
    """What a file says; nothing, if it is not text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""
