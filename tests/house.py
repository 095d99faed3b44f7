"""The imports of the two packages, read from their source: ``python tests/house.py`` prints the graph in numbers.

Imports inside functions count, those for type checkers only do not. The front of a package, its ``__init__``, is left
out: it names everything and loads nothing.
"""

import ast
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
#: The rooms of each package in order: a room imports from those before it. Files at the top are the ground.
ROOMS = {
    "stackelberg_envs": ("ground", "games", "solvers", "play", "pictures", "faces", "envs", "conformity", "clients"),
    "agents": (
        "ground",
        "state",
        "learning",
        "observing",
        "estimators",
        "planning",
        "leaders",
        "followers",
        "runs",
        "pictures",
        "benchmark",
        "cli",
    ),
}


def modules(root=ROOT):
    """Return the path of each module by its dotted name."""
    found = {}
    for package in ROOMS:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(node, known, package):
    """Return the modules that an import statement of a file in a package names."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names if alias.name in known}
    if isinstance(node, ast.ImportFrom):
        origin = origin_of(node, package)
        names = {f"{origin}.{alias.name}" for alias in node.names}
        return {name if name in known else origin for name in names} & set(known)
    return set()


def origin_of(node, package):
    """Return the absolute name of the module that `from ... import` names in a file of a package."""
    above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
    return ".".join([*above, *([node.module] if node.module else [])])


def package_of(path, root=ROOT):
    """Return the package that a file belongs to, by its dotted name."""
    return ".".join(path.relative_to(root).parent.parts)


def imports_of(path, known, root=ROOT):
    """Return the modules that a file imports, at the top or inside functions, but not for type checkers only."""
    found = set()

    def visit(node):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            for child in node.orelse:
                visit(child)
            return
        found.update(imported(node, known, package_of(path, root)))
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return found


def graph(root=ROOT):
    """Return module -> what it imports, without the fronts of the packages."""
    known = modules(root)
    inner = {name: path for name, path in known.items() if name not in ROOMS}
    return {name: imports_of(path, known, root) & set(inner) - {name} for name, path in inner.items()}


def room_of(module):
    """Return the package and the room of a module."""
    package, _, rest = module.partition(".")
    first = rest.partition(".")[0]
    return package, first if first in ROOMS[package] else "ground"


def place_of(module):
    """Return the room or the single file at the top of a package that a module is in."""
    return ".".join(module.split(".")[:2])


def circles(edges):
    """Return the sets of modules that import each other in a circle (strongly connected components, Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def connect(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in edges[node]:
            if other not in index:
                connect(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            component = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(component) > 1:
                found.append(sorted(component))

    for node in edges:
        if node not in index:
            connect(node)
    return found


def longest_chain(edges):
    """Return the longest chain of imports, one module of each circle at most."""
    in_circle = {node for circle in circles(edges) for node in circle[1:]}
    best = {}

    def chain(node):
        if node not in best:
            tails = [chain(other) for other in edges[node] if other not in in_circle and other != node]
            best[node] = [node, *max(tails, key=len, default=[])]
        return best[node]

    return max((chain(node) for node in edges if node not in in_circle), key=len)


def report(root=ROOT):
    """Return the graph in numbers, as text."""
    known, edges = modules(root), graph(root)
    files, lines = Counter(), Counter()
    for path in known.values():
        folder = path.parent.relative_to(root).as_posix()
        files[folder] += 1
        lines[folder] += len(path.read_text(encoding="utf-8").splitlines())
    arrows = sum(len(targets) for targets in edges.values())
    places = {package: {place_of(name) for name in edges if name.startswith(f"{package}.")} for package in ROOMS}
    between = {
        package: {
            (place_of(module), place_of(target))
            for module in edges
            for target in edges[module]
            if {place_of(module), place_of(target)} <= places[package] and place_of(module) != place_of(target)
        }
        for package in ROOMS
    }
    text = [f"{'folder':42} {'files':>5} {'lines':>6}"]
    text += [f"{folder:42} {files[folder]:5} {lines[folder]:6}" for folder in sorted(files)]
    text.append(f"{'all':42} {sum(files.values()):5} {sum(lines.values()):6}")
    chain = longest_chain(edges)
    text.append(f"imports between files: {arrows}")
    text += [
        f"{package}: {len(places[package])} rooms and lone files, {len(between[package])} arrows" for package in ROOMS
    ]
    text.append(f"longest chain: {len(chain)} files: {' > '.join(chain)}")
    found = circles(edges)
    text.append(f"circles: {len(found)}" + "".join(f"; {' - '.join(circle)}" for circle in found))
    return "\n".join(text)


if __name__ == "__main__":
    sys.stdout.write(report(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT) + "\n")
