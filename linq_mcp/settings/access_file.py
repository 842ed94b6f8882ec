"""The access file: rules that map the claims of a caller's token to a key, and to the lines and tools open with it.

It is TOML, with one `[[rule]]` after the other, and the first one that matches decides. A rule only narrows what the
settings open. Mistakes are raised as one `AccessFileError`, which names the rules and says how to correct them. No text
repeats a key, or a value in which somebody may have put one.
"""

from __future__ import annotations

import codecs
import os
import re
import stat
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from linq_mcp.handles import read_number
from linq_mcp.regular_file import open_regular, others_can_write
from linq_mcp.settings import Settings, key_flaw
from linq_mcp.settings.problems import KeySource

_MAX_BYTES = 256 * 1024
_MAX_KEY_BYTES = 4096
_SHOWN = 5
_FIELDS: dict[str, tuple[type, str]] = {
    "claim": (str, 'the name of a claim, such as "groups"'),
    "value": (str, "the text that the claim must be or hold"),
    "key_env": (str, "the name of an environment variable with the Linq key"),
    "key_file": (str, "the path of a file with the Linq key"),
    "lines": (list, 'a list of your numbers, such as ["+12052535597"]'),
    "tools": (list, 'a list of tools, such as ["list_chats"]'),
    "send": (bool, "true or false"),
    "contacts": (bool, "true or false"),
}
_NAME = re.compile(r"[A-Za-z_]{1,40}")


class AccessFileError(ValueError):
    """The access file, or a file with a key that it names, can't be used. The text is one line."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The `settings`, with their key, of callers whose `claim` is `value` or a list that contains it.

    `key_from` says where the key is, such as `key_env ACME_LINQ_KEY`.
    """

    claim: str
    value: str
    settings: Settings
    key_from: str

    def matches(self, claims: Mapping[str, Any]) -> bool:
        return self.mismatch(claims) is None

    def mismatch(self, claims: Mapping[str, Any]) -> str | None:
        """Why the rule is not for a caller with these claims; None if it is."""
        held = claim_of(claims, self.claim)
        if held is None:
            return f"there is no claim {self.claim}"
        # Keycloak writes groups as paths, with a slash before the name.
        if held != self.value and not (isinstance(held, list) and (self.value in held or f"/{self.value}" in held)):
            return f"the claim {self.claim} neither is nor holds {self.value!r}"
        # Anybody can claim an address that nobody has verified. Some providers write true and false as text.
        if self.claim == "email" and claims.get("email_verified", True) not in (True, "true"):
            return "the email address is not verified (email_verified)"
        return None


@dataclass(frozen=True, slots=True)
class AccessRules:
    """The rules in their order. `files` are those that they were read from, each as it was at that time.

    `exposed` names those that every user of this computer can read.
    """

    rules: tuple[Rule, ...]
    files: Mapping[Path, object]
    exposed: tuple[str, ...] = ()

    def is_current(self) -> bool:
        """Whether none of the files has changed since."""
        return all(version_of(path) == version for path, version in self.files.items())


def claim_of(claims: Mapping[str, Any], name: str) -> object:
    """The claim `name`, or, for `realm_access.roles`, the member of a claim; None if there is none.

    A dot may also be part of a name, as in `https://example.com/roles`.
    """
    if name in claims:
        return claims[name]
    for dot in (index for index, character in enumerate(name) if character == "."):
        inner = claims.get(name[:dot])
        if isinstance(inner, Mapping) and (found := claim_of(inner, name[dot + 1 :])) is not None:
            return found
    return None


def version_of(path: Path) -> object:
    """Changes whenever the file at `path` does; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def read_access_file(
    path: Path,
    settings: Settings,
    *,
    environ: Mapping[str, str],
    known_tools: Collection[str],
    send_tools: Collection[str] = (),
) -> AccessRules:
    """The rules in the file at `path`, each with the part of `settings` that it opens. Raises `AccessFileError`.

    Keys come from `environ` and from files, whose paths count from the folder of the access file. Tools must be among
    `known_tools`, and not among `send_tools` in a rule that does not allow sending.
    """
    reader = _Reader(path, settings, environ, tuple(known_tools), frozenset(send_tools))
    content = reader.read(path, _MAX_BYTES, "the access file")
    try:
        tables = tomllib.loads(_text(content))
    except (ValueError, RecursionError) as error:
        # The parser's text has a position and at most a single character of the file.
        reason = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "it is not UTF-8"
        raise AccessFileError(f"the access file is not valid TOML: {reason}") from None
    rules = list(reader.rules(tables))
    if reader.problems:
        more = len(reader.problems) - _SHOWN
        shown = [*reader.problems[:_SHOWN], *([f"{more} more"] if more > 0 else [])]
        raise AccessFileError(f"in the access file, {'; '.join(shown)}")
    return AccessRules(tuple(rules), reader.files, tuple(dict.fromkeys(reader.exposed)))


class _Reader:
    """Reads one access file, and collects its mistakes in `problems`."""

    def __init__(
        self,
        path: Path,
        settings: Settings,
        environ: Mapping[str, str],
        tools: tuple[str, ...],
        send_tools: frozenset[str],
    ) -> None:
        self.problems: list[str] = []
        self.files: dict[Path, object] = {}
        self.exposed: list[str] = []
        self._folder = path.parent
        self._settings = settings
        self._environ = environ
        self._tools = tools
        self._send_tools = send_tools

    def read(self, path: Path, limit: int, what: str) -> bytes:
        """The content of a file. Raises `AccessFileError` if it can't be read or trusted, or is larger than `limit`."""
        # Noted first, so that a change while it is being read is not missed.
        self.files[path] = version_of(path)
        try:
            with open_regular(path) as file:
                content = file.read(limit + 1)
                unsafe = others_can_write(file, path)
                exposed = os.name != "nt" and bool(os.fstat(file.fileno()).st_mode & stat.S_IROTH)
        except (OSError, ValueError) as error:
            reason = (isinstance(error, OSError) and error.strerror) or "it is no path"
            raise AccessFileError(f"{what} can't be read: {reason}") from None
        if unsafe:
            raise AccessFileError(
                f"{what} can be changed by other users, or replaced in its folder: take their right to write away from "
                "both (chmod go-w)"
            )
        if exposed:
            self.exposed.append(what)
        if len(content) > limit:
            raise AccessFileError(f"{what} is larger than {limit // 1024} KiB")
        return content

    def rules(self, tables: Mapping[str, Any]) -> Iterator[Rule]:
        for name in tables.keys() - {"rule"}:
            self.problems.append(f"{_unknown(name, ['rule'])} Each rule begins with [[rule]]")
        if self.problems:
            return
        rules = tables.get("rule", [])
        if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
            self.problems.append("each rule begins with [[rule]]")
        elif not rules:
            self.problems.append("there is no [[rule]], so that nobody could do anything")
        else:
            for number, rule in enumerate(rules, 1):
                before = len(self.problems)
                read = self._rule(rule)
                self.problems[before:] = [f"rule {number}: {problem}" for problem in self.problems[before:]]
                if read:
                    yield read

    def _rule(self, given: Mapping[str, Any]) -> Rule | None:
        before = len(self.problems)
        for name, value in given.items():
            if name not in _FIELDS:
                self.problems.append(_unknown(name, _FIELDS))
            elif not isinstance(value, _FIELDS[name][0]) or value in ("", []):
                self.problems.append(f"{name} takes {_FIELDS[name][1]}")
        for name in ("claim", "value"):
            if name not in given:
                self.problems.append(f"{name} is missing: {_FIELDS[name][1]}")
        if ("key_env" in given) is ("key_file" in given):
            self.problems.append("it needs either key_env or key_file")
        if len(self.problems) > before:
            return None
        key = self._key(given)
        settings = replace(
            self._settings,
            api_key=SecretStr(key),
            key_source=KeySource.ACCESS_FILE,
            profile=None,
            lines=self._lines(given.get("lines")),
            tools=self._open_tools(given.get("tools"), sends=given.get("send", False)),
            sending=self._settings.sending if given.get("send") else None,
            contacts=self._settings.contacts if given.get("contacts") else None,
            problem=self._settings.keyless_problem,
        )
        key_from = f"key_env {given['key_env']}" if "key_env" in given else f"key_file {given['key_file']}"
        return None if len(self.problems) > before else Rule(given["claim"], given["value"], settings, key_from)

    def _key(self, given: Mapping[str, Any]) -> str:
        """The key of a rule; "" if it can't be used, which is then one of `problems`."""
        if name := given.get("key_env"):
            key = self._environ.get(name, "").strip()
            where = "the variable that key_env names"
        else:
            where = "the file that key_file names"
            try:
                content = self.read(self._folder / given["key_file"], _MAX_KEY_BYTES, where)
            except AccessFileError as error:
                self.problems.append(str(error))
                return ""
            key = _text(content, "replace").strip()
        if not key or key_flaw(key):
            self.problems.append(f"{where} {'holds something else than a Linq key' if key else 'is empty or not set'}")
            return ""
        return key

    def _lines(self, given: list[object] | None) -> tuple[str, ...]:
        opened = self._settings.lines
        if given is None:
            return opened
        lines = [isinstance(item, str) and read_number(item, self._settings.region.country) for item in given]
        if not all(lines):
            self.problems.append(f"lines takes {_FIELDS['lines'][1]}")
            return ()
        return self._narrowed("lines", [line for line in lines if line], opened)

    def _open_tools(self, given: list[object] | None, *, sends: bool) -> tuple[str, ...]:
        opened = self._settings.tools
        if given is None:
            return opened
        names = [str(item) for item in given]
        unknown = [name for name in names if name not in self._tools]
        self.problems += [_unknown(name, self._tools, "tool") for name in unknown]
        if not sends and (closed := [name for name in names if name in self._send_tools]):
            self.problems.append(f"{closed[0]} is there only with send = true")
        return () if unknown else self._narrowed("tools", names, opened)

    def _narrowed(self, field: str, given: Iterable[str], opened: tuple[str, ...]) -> tuple[str, ...]:
        """Those of `given` that are open on this server: `opened`, or all if that is empty."""
        found = tuple(dict.fromkeys(item for item in given if not opened or item in opened))
        # An empty list would open everything.
        if not found:
            self.problems.append(f"none of its {field} is open on this server, which opens {', '.join(opened)}")
        return found


def _text(content: bytes, errors: str = "strict") -> str:
    """The text of a file as editors save it: UTF-8, or UTF-16 where a byte order mark says so."""
    utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if utf_16 else "utf-8-sig", errors)


def _unknown(name: str, known: Iterable[str], what: str = "key") -> str:
    known = list(known)
    near = get_close_matches(name, known, n=1)
    advice = f"did you mean {near[0]}?" if near else f"it can be {', '.join(known)}"
    # Anything else than a name may be a key in the wrong place.
    return f"{name if _NAME.fullmatch(name) else 'one name'} is not a {what}; {advice}"
