"""Is any regular expression quadratic? Finds all of the package's, and measures each on text that is made to hurt it.

    python benchmarks/expressions.py

An expression is tried as it is used: by the functions and methods that its module calls it with. The texts come from
its own parts: what may be repeated is repeated, alone, after what must precede it, and without the end that it waits
for.
Four times the text must not take much more than four times as long.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from time import thread_time
from typing import Any, TypeAlias

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from re import _constants as codes  # type: ignore[attr-defined]  # the parser of `re` has no public name
    from re import _parser as parser  # type: ignore[attr-defined]

PACKAGE = Path(__file__).parent.parent / "linq_mcp"
SIZES = (500, 2_000, 8_000)
# Linear is 4. Quadratic is 16, and on a small text hardly less.
WORST_GROWTH = 8.0
# Shorter times are noise.
SHORTEST_SECONDS = 0.001
METHODS = frozenset({"search", "match", "fullmatch", "sub", "subn", "findall", "finditer", "split"})
MOST_SAMPLES = 6
# These try expressions out of a table, on no more than 256 bytes of a file.
BOUNDED = ("file_types.py",)

Pattern: TypeAlias = re.Pattern[Any]


@dataclass(frozen=True, slots=True)
class Expression:
    """A pattern, where it stands, and the method that it is used with."""

    place: str
    pattern: Pattern
    method: str


@dataclass(frozen=True, slots=True)
class Growth:
    """The seconds of an expression for texts of `SIZES`, as far as they were measured, and what the texts repeat."""

    expression: Expression
    repeated: str
    seconds: tuple[float, ...]

    @property
    def is_quadratic(self) -> bool:
        pairs = zip(self.seconds, self.seconds[1:], strict=False)
        return any(longer > SHORTEST_SECONDS and longer > shorter * WORST_GROWTH for shorter, longer in pairs)


def expressions() -> Iterator[Expression]:
    """Every expression of the package, once for each way in which it is used."""
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
        if not any(isinstance(node, ast.Import) and node.names[0].name == "re" for node in ast.walk(tree)):
            continue
        relative = path.relative_to(PACKAGE.parent).with_suffix("")
        module = importlib.import_module(".".join(relative.parts).removesuffix(".__init__"))
        for call in calls:
            assert isinstance(call.func, ast.Attribute)
            of, method = call.func.value, call.func.attr
            if method not in METHODS:
                continue
            place = f"{path.relative_to(PACKAGE.parent)}:{call.lineno}"
            if isinstance(of, ast.Name) and isinstance(pattern := getattr(module, of.id, None), re.Pattern):
                yield Expression(place, pattern, method)
            elif isinstance(of, ast.Name) and of.id == "re" and isinstance(call.args[0], ast.Constant):
                yield Expression(place, re.compile(call.args[0].value), method)
            elif isinstance(of, ast.Name) and of.id == "re":
                assert path.name in BOUNDED, f"{place}: what expression is that?"
            elif isinstance(of, ast.Call) and isinstance(of.func, ast.Name) and hasattr(module, of.func.id):
                # A pattern that is made when it is first needed.
                made = getattr(module, of.func.id)
                if not of.args and isinstance(pattern := made(), re.Pattern):
                    yield Expression(place, pattern, method)


def samples(parsed: Any) -> list[str]:
    """Some texts that the parsed expression takes."""
    texts = [""]
    for code, argument in parsed:
        texts = [before + after for before, after in product(texts, _of_one(code, argument))][:MOST_SAMPLES]
    return texts


def _of_one(code: Any, argument: Any) -> list[str]:
    match code:
        case codes.LITERAL:
            return [chr(argument)]
        case codes.NOT_LITERAL:
            return ["a" if argument != ord("a") else "b"]
        case codes.ANY:
            return ["a"]
        case codes.IN:
            return _of_class(argument)
        case codes.BRANCH:
            return [text for branch in argument[1] for text in samples(branch)[:2]][:MOST_SAMPLES]
        case codes.SUBPATTERN:
            return samples(argument[-1])
        case codes.ATOMIC_GROUP:
            return samples(argument)
        case codes.MAX_REPEAT | codes.MIN_REPEAT | codes.POSSESSIVE_REPEAT:
            least, _, inner = argument
            return [text * max(least, 1) for text in samples(inner)]
    # Anchors, boundaries, and what is only looked at take no text.
    return [""]


_WITH_CHARACTERS = (codes.LITERAL, codes.RANGE)


def _of_class(items: Any) -> list[str]:
    negated = any(code is codes.NEGATE for code, _ in items)
    ends = [(argument,) if code is codes.LITERAL else argument for code, argument in items if code in _WITH_CHARACTERS]
    candidates = "".join(chr(end) for both in ends for end in both)
    usual = "a0 -.\u0301\t"
    taken = re.compile(f"[{_as_class(items)}]")
    found = [one for one in (usual if negated else candidates + usual) if taken.match(one)]
    return list(dict.fromkeys(found))[:4] or [candidates[:1] or "a"]


def _as_class(items: Any) -> str:
    """The inside of the class as it was written."""
    names = {
        codes.CATEGORY_DIGIT: r"\d",
        codes.CATEGORY_NOT_DIGIT: r"\D",
        codes.CATEGORY_SPACE: r"\s",
        codes.CATEGORY_NOT_SPACE: r"\S",
        codes.CATEGORY_WORD: r"\w",
        codes.CATEGORY_NOT_WORD: r"\W",
    }
    parts: dict[Any, Callable[[Any], str]] = {
        codes.NEGATE: lambda _: "^",
        codes.LITERAL: lambda argument: f"\\U{argument:08x}",
        codes.RANGE: lambda argument: f"\\U{argument[0]:08x}-\\U{argument[1]:08x}",
        codes.CATEGORY: lambda argument: names[argument],
    }
    return "".join(parts[code](argument) for code, argument in items)


def repeats(parsed: Any, before: tuple[str, ...] = ("",)) -> Iterator[tuple[str, str]]:
    """What must precede each part that may be repeated, and that part."""
    for code, argument in parsed:
        inner: list[Any] = []
        if code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
            inner = [argument[2]]
            if argument[1] > 1:
                yield from product(before, samples(argument[2]))
        elif code is codes.BRANCH:
            inner = argument[1]
        elif code in (codes.SUBPATTERN, codes.ATOMIC_GROUP):
            inner = [argument[-1] if code is codes.SUBPATTERN else argument]
        for one in inner:
            yield from repeats(one, before)
        before = tuple(one + other for one in before for other in _of_one(code, argument)[:3])[:MOST_SAMPLES]


def hurtful(pattern: Pattern) -> Iterator[tuple[str, str, str]]:
    """What stands before, is repeated, and stands after it in texts for this expression."""
    text = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    parsed = parser.parse(text, pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else pattern.flags)
    units = {("", whole) for whole in samples(parsed)} | set(repeats(parsed))
    # A part of the beginning, again and again, makes a search begin anew everywhere.
    units |= {("", before + unit) for before, unit in units} | {("", before) for before, _ in units}
    for before, unit in sorted(units):
        if unit:
            for after in ("", "\x00", "\n!"):
                yield before, unit, after


def measured(expression: Expression, before: str, unit: str, after: str) -> Growth:
    """How long texts of growing size take. The next size is left out once the growth is known to be too much."""
    seconds: list[float] = []
    for size in SIZES:
        text: Any = before + unit * (size // len(unit)) + after
        if isinstance(expression.pattern.pattern, bytes):
            text = text.encode("latin-1", "replace")
        growth = Growth(expression, f"{before!r} {unit!r} {after!r}", (*seconds, _seconds(expression, text)))
        if growth.is_quadratic:
            # Once more, as something else may have taken the time.
            growth = replace(growth, seconds=(*seconds, min(_seconds(expression, text) for _ in range(3))))
        if growth.is_quadratic:
            break
        seconds = list(growth.seconds)
    return growth


def _seconds(expression: Expression, text: Any) -> float:
    method = getattr(expression.pattern, expression.method)
    began = thread_time()
    if expression.method in ("sub", "subn"):
        method(text[:0], text)
    elif expression.method == "finditer":
        for _ in method(text):
            pass
    else:
        method(text)
    return thread_time() - began


def quadratic() -> tuple[int, list[Growth]]:
    """How many expressions there are, and the worst text of each one that is quadratic."""
    found: list[Growth] = []
    tried: dict[tuple[str, int, str], None] = {}
    for expression in expressions():
        key = (str(expression.pattern.pattern), expression.pattern.flags, expression.method)
        if key in tried:
            continue
        tried[key] = None
        growths = [measured(expression, *text) for text in hurtful(expression.pattern)]
        worst = [growth for growth in growths if growth.is_quadratic]
        found += [max(worst, key=lambda growth: growth.seconds[-1])] if worst else []
    return len(tried), found


def main() -> int:
    count, found = quadratic()
    for growth in found:
        times = " -> ".join(f"{1000 * one:.2f} ms" for one in growth.seconds)
        print(f"{growth.expression.place} {growth.expression.method}: {times} for {growth.repeated}")
        print(f"    {growth.expression.pattern.pattern!r:.160}")
    print(f"{len(found)} of {count} expressions are quadratic")
    return 1 if found else 0


if __name__ == "__main__":
    sys.path.insert(0, str(PACKAGE.parent))
    sys.exit(main())
