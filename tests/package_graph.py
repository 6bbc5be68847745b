"""The import graph of ``proxy/``, and the order its packages have to keep.

``python -m tests.package_graph`` prints it in words; ``test_package_graph`` holds it. Imports for
type checkers and imports inside functions count like any other.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import proxy

ROOT = Path(next(iter(proxy.__path__)))

LAYERS = {
    "proxy": "the version, which anybody may show",
    "errors": "what ends a command, with its exit code: anybody may raise it",
    "rules": "pure decisions: values in, a value out",
    "symptoms.mends": "what to change in other programs, in words",
    "symptoms": "what goes wrong with heads, in words, for whoever sees it",
    "runtime": "tasks, files, output and memory, as any program has them",
    "short_response": "an answer of labgate's own as a value",
    "messages": "heads, bodies and answers between a client's connection and the proxying",
    "tls": "handshakes; knows no socket",
    "net": "sockets below HTTP; reads a ClientHello before it starts a handshake",
    "compression": "encodes the content of answers that the rules choose, within limits of net",
    "config": "the settings; their defaults and addresses are those of net",
    "http1": "HTTP/1.1 on both sides, on sockets of net with the limits of net",
    "http2": "HTTP/2 towards clients; its connections end and are limited as those of http1",
    "cache": "static files of an upstream that http1 speaks to",
    "access": "who gets in; knows heads, but no connection",
    "certs": "certificates for tls, as the settings want them",
    "certs.acme": "obtains some of them from a certificate authority",
    "certificate_service": "watches and renews those in service while labgate runs",
    "observe": "what is reported: records, metrics of certificates, health by the settings",
    "inspector": "shows records to people",
    "web": "labgate's own pages: an upstream in this process, and the words of errors",
    "web.front": "aiohttp's server towards clients, in the place of http1's",
    "proxying": "a request from its head to the end of its answer: access, upstream, records",
    "admin": "the inspector's page and API on listeners of its own; replays through the proxying",
    "jupyter": "launches Jupyter; nothing that serves requests needs it but app",
    "measures": "reads counts and measurements from the parts above",
    "builders": "makes the parts above from the settings",
    "edge": "accepts on the public ports, with servers that builders makes",
    "web_app_upstream": "the application of labgate's own paths, as one more upstream",
    "reporting": "access log and captures of one app, as the settings want them",
    "routes": "all that belongs to each Jupyter behind one labgate",
    "app": "puts the parts together, starts and stops them",
    "mount": "the same in somebody else's aiohttp application",
    "workers": "several processes with an app each",
    "service": "what a labgate that runs for long tells of itself and is told to do",
    "hub": "the proxy of a JupyterHub: the parts above with many upstreams and the Hub's API",
    "check": "looks at all that a start needs, before it",
    "doctor": "tries what a browser does, and tells symptoms",
    "cli": "what people type: one app, or workers",
    "__main__": "starts cli",
}
"""Packages, lowest first, each with the reason for its place; a module beside the packages is a
package of one file, and a folder in a package is one of its own. A package imports only those
before it."""

FOLDED = {
    "doctor.judge": "reads the answers and makes the findings that doctor defines",
    "doctor.probes": "asks with what doctor has for it; doctor.plan names every probe",
}
"""Folders that are one package with the one they are in, each with the reason."""


class Import(NamedTuple):
    """One file imports another; both by their dotted names."""

    importer: str
    imported: str


def package_of(module: str) -> str:
    """The package that a module belongs to, or the module itself where it is beside them."""
    name = module.removeprefix("proxy.")
    folder = name.rpartition(".")[0]
    if name in LAYERS or not folder:
        return name
    return folder.rpartition(".")[0] if folder in FOLDED else folder


def imports_of(root: Path = ROOT) -> list[Import]:
    """Every import of one file below ``root`` by another, in the order of files and lines."""
    files = {_name(root, file): file for file in sorted(root.rglob("*.py"))}
    found: dict[Import, None] = {}
    for importer, file in files.items():
        folder = importer if file.name == "__init__.py" else importer.rpartition(".")[0]
        for name in _imported(ast.parse(file.read_text("utf-8")), folder):
            # ``from package import name`` means a module of the package or a name in it.
            imported = name if name in files else name.rpartition(".")[0]
            if imported in files and imported != importer:
                found[Import(importer, imported)] = None
    return list(found)


def _name(root: Path, file: Path) -> str:
    parts = (root.name, *file.relative_to(root).with_suffix("").parts)
    return ".".join(part for part in parts if part != "__init__")


def _imported(tree: ast.Module, folder: str) -> Iterator[str]:
    """Dotted names of modules, or of something in them.

    Args:
        tree: A file.
        folder: The package that the file's relative imports start from.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = node.module or ""
            if node.level:
                parts = folder.split(".")
                base = parts[: len(parts) - node.level + 1]
                start = ".".join([*base, *([start] if start else [])])
            yield from (f"{start}.{alias.name}" for alias in node.names)


def violations(imports: Iterable[Import], layers: Iterable[str]) -> list[str]:
    """A sentence for each import that points upwards, or that comes from no known layer."""
    order = list(layers)
    found = []
    for importer, imported in imports:
        upper, lower = package_of(importer), package_of(imported)
        unknown = [name for name in (upper, lower) if name not in order]
        if unknown:
            found.append(f"{importer} imports {imported}: {unknown[0]} is in no layer yet")
        elif order.index(upper) < order.index(lower):
            found.append(
                f"{importer} imports {imported}, which points upwards: "
                f"{upper} comes before {lower} in LAYERS, so {lower} may import {upper} only"
            )
    return found


def circle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """One circle as the names along it, the first also last; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        # graphlib's arrows point from what is imported to who imports it.
        return list(reversed(error.args[1]))
    return []


def file_graph(imports: Iterable[Import]) -> dict[str, set[str]]:
    """What each file imports."""
    graph: dict[str, set[str]] = {}
    for importer, imported in imports:
        graph.setdefault(importer, set()).add(imported)
    return graph


def package_graph(imports: Iterable[Import]) -> dict[str, set[str]]:
    """What each package imports of others."""
    pairs = ((package_of(importer), package_of(imported)) for importer, imported in imports)
    return file_graph(Import(*pair) for pair in pairs if pair[0] != pair[1])


def main() -> None:
    """Print the packages from the lowest to the highest, and what each imports."""
    imports = imports_of()
    graph = package_graph(imports)
    print("A package imports only packages above its own line.\n")
    for name, reason in LAYERS.items():
        below = [layer for layer in LAYERS if layer in graph.get(name, ())]
        print(f"{name}: {reason}")
        print(f"    imports {', '.join(below) or 'nothing'}")


if __name__ == "__main__":
    main()
