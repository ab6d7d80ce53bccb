"""The graph behind one `backward()`, kept as bare numbers, so that it can be built again to the same bits.

A `Pass` holds no node of the program, and takes about 30 bytes per node. Not here: which passes are kept (`recorder`).
Read next: `debug.flight.events`.
"""

from __future__ import annotations

from array import array
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from contextvars import Context
from itertools import accumulate, chain, compress, count, repeat
from operator import attrgetter
from typing import Any, NamedTuple

from autograd_mini.core.node import Notes, is_relu
from autograd_mini.core.replay import Decision
from autograd_mini.core.row import TABLE, Primitive, evaluate
from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError
from autograd_mini.functions.activations import ACTIVATIONS
from autograd_mini.program.source import Site
from autograd_mini.program.stack import Scope, outwards

_ROW, _OPERANDS, _NOTES, _DATA = map(attrgetter, ("_row", "operands", "_notes", "_data"))
_ARRAYS = {"rows": "H", "counts": "i", "operands": "i", "numbers": "d", "parameters": "i"}
Built = tuple[Value, list[Value | None], dict[int, Value]]


class Slot(NamedTuple):
    """A number that a pass starts from: a leaf, or a constant that the program wrote into an operation."""

    kind: int | str  # the number of a parameter, "leaf" for another leaf, "constant"
    place: int  # among the numbers of the pass


class Pass:
    """A graph as arrays: for each node its row, its operands and its scope; then the numbers it starts from."""

    def __init__(self, known: Mapping[str, Any]) -> None:
        self.rows: array[int] = known["rows"]  # 0 for a leaf, else the place in `operations` + 1
        self.counts: array[int] = known["counts"]  # of operands
        self.operands: array[int] = known["operands"]  # of all nodes, one after the other; -1 for a constant
        self.scopes: Sequence[Scope | None] = known["scopes"]  # of each node; they hold no nodes
        self.numbers: array[float] = known["numbers"]  # of the leaves, then of the constants
        self.parameters: array[int] = known["parameters"]  # the node of each parameter; -1 if it is not in the graph
        self.operations: Sequence[Primitive | None] = known["operations"]
        self.root, self.seed = int(known["root"]), float(known["seed"])
        self.names: dict[int, str] = known.get("names", {})  # of nodes, by their number, as far as they are known
        self.origins: Sequence[Site | None] = known.get("origins", ())  # where each node was made; empty if unknown

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        arrays: list[array[Any]] = [getattr(self, name) for name in _ARRAYS]
        return sum(found.itemsize * len(found) for found in arrays) + 40 * len(self)  # and its scopes

    def __len__(self) -> int:
        return len(self.rows)

    def __reduce__(self) -> tuple[Any, ...]:
        return Pass.read, (self.data(),)

    # -- building it again ---------------------------------------------------------------------------------------------

    def build(
        self, names: Sequence[str], open_at: Mapping[int, str] | None = None, numbers: Sequence[float] | None = None
    ) -> Built:
        """Return the root and the parameters of a new graph with the same bits, and its leaves by their positions.

        `names` are those of the parameters; constants `open_at` some positions become leaves with names. With `numbers`
        other than those of the pass, relus are decided again, and all else keeps the recorded form.
        """
        return Context().run(self._build, names, open_at or {}, numbers)

    def _build(self, names: Sequence[str], open_at: Mapping[int, str], others: Sequence[float] | None) -> Built:
        numbers = self.numbers if others is None else others
        called = self.names | {node: names[i] for i, node in enumerate(self.parameters) if node >= 0}
        made: dict[int, Value] = {}
        leaves: dict[int, Value] = {}
        for node, codes, places in self.order():
            row = self.rows[node]
            if row == 0:
                made[node] = leaves[places[0]] = Value(numbers[places[0]])
            else:
                operation = self.operations[row - 1]
                if operation is None:
                    raise ArgumentError("An operation of this pass is not known here.", "Import what defines it first.")
                given: list[Any] = [made[code] if code >= 0 else numbers[places[i]] for i, code in enumerate(codes)]
                for i in [i for i, code in enumerate(codes) if code < 0 and places[i] in open_at]:
                    given[i] = leaves[places[i]] = Value(given[i], name=open_at[places[i]])
                scope = self.scopes[node]
                if others is not None and scope is not None and scope.name == "relu" and operation.name == "where":
                    given[0] = float(given[2].data <= 0.0)
                found = evaluate(operation, tuple(given))
                made[node] = found if isinstance(found, Value) else Value(found)
                self._describe(made[node], scope)
            if node in called or self.origins:
                origin = self.origins[node] if self.origins else None
                made[node]._note(name=called.get(node), origin=origin)
        parameters = [made.get(node) for node in self.parameters]
        return made[self.root], parameters, leaves

    @staticmethod
    def _describe(node: Value, scope: Scope | None) -> None:
        """Put a node into its scope; a relu there notes its comparison, so that a replay decides it again."""
        node._notes = scope
        if scope is not None and is_relu(node):
            holds, _, x = node.operands
            node._notes = Notes(scope, decisions=(Decision(x, "<=", 0.0, bool(holds), None),))

    def order(self) -> list[tuple[int, list[int], list[int]]]:
        """Return each node with its operands (-1 for a constant) and their places among the numbers; operands first.

        The order follows from the shape alone, whichever arms were taken.
        """
        if not self._order:
            ends = [0, *accumulate(self.counts)]
            constants = iter(range(self.rows.count(0), len(self.numbers)))
            leaves = iter(range(self.rows.count(0)))
            places = [-1 if code >= 0 else next(constants) for code in self.operands]
            entries: list[tuple[int, list[int], list[int]]] = []
            for node, row in enumerate(self.rows):
                part = slice(ends[node], ends[node + 1])
                entries.append((node, [*self.operands[part]], [next(leaves)] if row == 0 else places[part]))
            path, done = [self.root], set[int]()
            while path:
                node = path[-1]
                if len(path) > len(self.operands) + 1:
                    raise ArgumentError("This pass is no graph: it has a cycle.", "Its file was changed.")
                missing = [x for x in entries[node][1] if x >= 0 and x not in done] if node not in done else []
                if missing:
                    path += reversed(missing)
                else:
                    path.pop()
                    if node not in done:
                        done.add(node)
                        self._order.append(entries[node])
        return self._order

    @property
    def _order(self) -> list[tuple[int, list[int], list[int]]]:
        return self.__dict__.setdefault("_ordered", [])  # type: ignore[no-any-return]  # of __dict__

    def slots(self) -> list[Slot]:
        """Return the numbers that the program gave, in an order that does not depend on the forms of activations."""
        of_parameter = {node: index for index, node in enumerate(self.parameters)}
        found = []
        for node, codes, places in self.order():
            if self.rows[node] == 0:
                found.append(Slot(of_parameter.get(node, "leaf"), places[0]))
            elif (scope := self.scopes[node]) is None or scope.name not in ACTIVATIONS:
                found += [Slot("constant", place) for code, place in zip(codes, places, strict=True) if code < 0]
        return found

    # -- in a file -----------------------------------------------------------------------------------------------------

    def data(self) -> dict[str, Any]:
        """Return it ready for JSON; places in the program's source stay behind."""
        parts = _outer_first(self.scopes)
        numbers = {id(part): number for number, part in enumerate([None, *parts])}
        return {
            **{name: packed(getattr(self, name)) for name in _ARRAYS},
            "scopes": packed(array("i", [numbers[id(scope)] for scope in self.scopes])),
            "tree": [(part.name, numbers[id(part.parent)]) for part in parts],
            "operations": [row.name if row is not None else "" for row in self.operations],
            "root": self.root, "seed": self.seed, "names": [*self.names.items()],
        }  # fmt: skip

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Pass:
        """Return what `data` described."""
        arrays = {name: unpacked(kind, data[name]) for name, kind in _ARRAYS.items()}
        scopes: list[Scope | None] = [None]
        for name, parent in data["tree"]:
            scopes.append(Scope(str(name), scopes[parent]))
        others = {
            "scopes": [scopes[number] for number in unpacked("i", data["scopes"])],
            "operations": [TABLE.get(name) for name in data["operations"]],
            "names": {int(node): str(name) for node, name in data["names"]},
        }
        found = cls({**data, **arrays, **others})
        places = [*found.operands, *found.parameters, found.root]
        if not (
            len(found.rows) == len(found.counts) == len(found.scopes)
            and len(found.operands) == sum(found.counts)
            and len(found.numbers) == found.rows.count(0) + found.operands.count(-1)
            and -1 <= min(places) <= max(places) < len(found.rows)
        ):
            raise ValueError
        return found


def bare(scopes: Sequence[Scope | None]) -> list[Scope | None]:
    """Return scopes with their names and places alone: under `provenance`, they hold the operands of calls."""
    made: dict[int, Scope | None] = {id(None): None}
    for part in _outer_first(scopes):
        made[id(part)] = Scope(part.name, made[id(part.parent)], part.site)
    return [made[id(scope)] for scope in scopes]


def _outer_first(scopes: Sequence[Scope | None]) -> list[Scope]:
    """Return each scope, and those around it, once."""
    return [*dict.fromkeys(part for scope in dict.fromkeys(scopes) for part in [*outwards(scope)][::-1])]


def packed(numbers: array[Any]) -> str:
    """Return an array as text, to the bit."""
    return b64encode(numbers.tobytes()).decode()


def unpacked(kind: str, text: str) -> array[Any]:
    """Return the array of a text."""
    found = array(kind)
    found.frombytes(b64decode(text))
    return found


class Taker:
    """Takes passes out of graphs; those of a run share the lists of operations."""

    def __init__(self, parameters: Sequence[Value]) -> None:
        self.parameters = parameters
        self.operations: list[Primitive | None] = []
        self._rows = {id(None): 0}

    def take(self, root: Value, seed: float, reached: Mapping[Any, Any]) -> tuple[Pass, list[Value]]:
        """Return the pass of a root whose graph starts with the nodes `reached`, and its nodes by number.

        What runs once per operand is a `map`: this happens between two steps of a training.
        """
        nodes: list[Any] = [*reached]
        index = dict(zip(map(id, nodes), count()))
        counts, codes, constants = array("i"), array("i"), array("d")
        new = nodes
        while new:  # first what is reached, then the operands of arms that were not taken
            operands = [*map(_OPERANDS, new)]
            flat = [*chain.from_iterable(operands)]
            found = [*map(index.get, map(id, flat), repeat(-1))]
            new = []
            for place in compress(count(), map((-1).__eq__, found)):
                if type(x := flat[place]) is float:
                    constants.append(x)
                elif (known := index.get(id(x))) is not None:
                    found[place] = known
                else:
                    found[place] = index[id(x)] = len(nodes) + len(new)
                    new.append(x)
            counts.extend(map(len, operands))
            codes.extend(found)
            nodes += new if new is not nodes else ()
        rows = [*map(_ROW, nodes)]
        numbers = array("d", [node._data for node in nodes if node._row is None])
        numbers.extend(constants)
        taken: dict[str, Any] = {
            "rows": self._numbered(rows), "counts": counts, "operands": codes, "numbers": numbers,
            "scopes": [x.scope if type(x) is Notes else x for x in map(_NOTES, nodes)], "seed": seed,
            "operations": self.operations, "root": index[id(root)],
            "parameters": array("i", map(index.get, map(id, self.parameters), repeat(-1))),
        }  # fmt: skip
        return Pass(taken), nodes

    def _numbered(self, rows: Sequence[Primitive | None]) -> array[int]:
        try:
            return array("H", map(self._rows.__getitem__, map(id, rows)))
        except KeyError:
            for row in rows:
                if id(row) not in self._rows:
                    self.operations.append(row)
                    self._rows[id(row)] = len(self.operations)
            return self._numbered(rows)
