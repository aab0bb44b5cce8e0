"""What a source file may contain, as questions to its syntax tree. Asked by `test_architecture.py`.

Each answer is a list of findings `line: what`, empty if all is well, so that a red test says where to look.
"""

import ast
from collections.abc import Iterator

from repository import LAYERS

# In the order of the table in docs: a layer imports itself and what stands before it.
MAY_IMPORT = {layer: set(LAYERS[: place + 1]) for place, layer in enumerate(LAYERS)}

IMPURE_MODULES = frozenset(
    [
        "aiohttp",
        "aiosqlite",
        "asyncio",
        "concurrent",
        "datetime",
        "glob",
        "io",
        "locale",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
        "platform",
        "random",
        "secrets",
        "select",
        "shutil",
        "signal",
        "socket",
        "sqlite3",
        "ssl",
        "subprocess",
        "sys",
        "tempfile",
        "threading",
        "time",
        "urllib",
        "uuid",
    ]
)
# `hash` differs from process to process, `id` from run to run.
IMPURE_CALLS = frozenset({"eval", "exec", "hash", "id", "input", "open", "print", "__import__"})
IMPURE_NAMES = frozenset(
    [
        "environ",
        "getenv",
        "monotonic",
        "monotonic_ns",
        "perf_counter",
        "perf_counter_ns",
        "time_ns",
        "token_bytes",
        "token_hex",
        "urandom",
        "utcnow",
        "uuid1",
        "uuid4",
        "uuid7",
    ]
)
# The core may name a future or a task in a port's type; it may not run one.
NAMED_IN_TYPES = frozenset({"asyncio"})

FUNCTION_WALL = 40

Imported = tuple[int, str, bool]


def imports(tree: ast.AST, *, for_types: bool = False) -> Iterator[Imported]:
    """Each import as (line, dotted name, whether it stands under `if TYPE_CHECKING`)."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.Import():
                yield from ((node.lineno, alias.name, for_types) for alias in node.names)
            case ast.ImportFrom():
                origin = "." * node.level + (node.module or "")
                yield from ((node.lineno, f"{origin}.{alias.name}", for_types) for alias in node.names)
            case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
                yield from imports(ast.Module(body=node.body, type_ignores=[]), for_types=True)
                yield from imports(ast.Module(body=node.orelse, type_ignores=[]), for_types=for_types)
            case _:
                yield from imports(node, for_types=for_types)


def breaches_of_layers(tree: ast.AST, *, layer: str) -> list[str]:
    """Imports of a layer that stands above, or of one under another name than users import."""
    found = []
    for line, name, _ in imports(tree):
        first, _, rest = name.partition(".")
        if first == "":
            found.append(f"{line}: relative import of {name}")
        elif first in LAYERS:
            found.append(f"{line}: {name} must be imported as understudy.{name}")
        elif first == "understudy" and rest.split(".")[0] not in MAY_IMPORT[layer]:
            found.append(f"{line}: {layer} may not import {name}")
    return found


def impurities(tree: ast.AST) -> list[str]:
    """Ways to clocks, dice, disks, networks and the process, which the core is not to know."""
    found = [
        f"{line}: imports {name}"
        for line, name, for_types in imports(tree)
        if name.partition(".")[0] in IMPURE_MODULES and not (for_types and name.partition(".")[0] in NAMED_IN_TYPES)
    ]
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in IMPURE_CALLS:
                found.append(f"{node.lineno}: calls {name}()")
            case ast.Attribute(value=ast.Name(id="datetime" | "date"), attr="now" | "today" as name):
                found.append(f"{node.lineno}: asks for {name}")
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in IMPURE_NAMES:
                found.append(f"{node.lineno}: uses {name}")
    return found


def long_functions(tree: ast.AST) -> list[str]:
    """Functions of more than 40 lines, from `def` to the end, the docstring not counted."""
    return [
        f"{node.lineno}: {node.name} has {length(node)} lines"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and length(node) > FUNCTION_WALL
    ]


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How many lines a function has without its docstring and decorators."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    match function.body[0]:
        case ast.Expr(value=ast.Constant(value=str())) as docstring:
            return lines - ((docstring.end_lineno or docstring.lineno) - docstring.lineno + 1)
        case _:
            return lines


def broad_excepts(tree: ast.AST) -> list[str]:
    """Handlers that catch bugs together with what they expect."""
    return [
        f"{node.lineno}: catches everything"
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and _catches_everything(node.type)
    ]


def _catches_everything(caught: ast.expr | None) -> bool:
    match caught:
        case None:
            return True
        case ast.Tuple(elts=several):
            return any(_catches_everything(one) for one in several)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in {"Exception", "BaseException"}
        case _:
            return False
