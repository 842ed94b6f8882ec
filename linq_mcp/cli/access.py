"""`linq-mcp access`: checks an access file, and shows what it opens for a person, and why."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from linq_mcp.cli.account import read_rules, read_settings
from linq_mcp.cli.stderr import replace_unencodable

if TYPE_CHECKING:
    from linq_mcp.settings import Settings
    from linq_mcp.settings.access_file import Rule


def run(options: Namespace) -> int:
    """The exit code is 1 for a file that the server could not use, and for claims that open nothing."""
    from linq_mcp.settings.access_file import AccessFileError
    from linq_mcp.settings.problems import LaunchedBy
    from linq_mcp.wording.settings import format_problem

    replace_unencodable(sys.stdout)
    settings = read_settings(options, LaunchedBy.TERMINAL)
    try:
        read = read_rules(options.check, settings)
    except AccessFileError as error:
        print(f"FAIL  {error}")
        return 1
    for what in read.exposed:
        print(f"note  every user of this computer can read {what} (chmod o-r)")
    if settings.keyless_problem:
        print(f"FAIL  {format_problem(settings.keyless_problem, LaunchedBy.TERMINAL)}")
        return 1
    if options.claims is None:
        for number, rule in enumerate(read.rules, 1):
            opened = _opened(rule, settings)
            print(f"ok    rule {number}: {rule.claim} = {rule.value!r}, {rule.key_from}\n      {opened}")
        return 0
    for number, rule in enumerate(read.rules, 1):
        if (why := rule.mismatch(options.claims)) is None:
            opened = _opened(rule, settings)
            print(f"ok    rule {number} matches: {rule.claim} = {rule.value!r}, {rule.key_from}\n      {opened}")
            return 0
        print(f"note  rule {number} does not match: {why}")
    print("FAIL  no rule matches, so nothing is open")
    return 1


def _opened(rule: Rule, settings: Settings) -> str:
    """What `rule` opens of what the server's `settings` open."""
    from linq_mcp.settings import CONTACTS_VARIABLE

    lines, tools = (", ".join(names) or "all" for names in (rule.settings.lines, rule.settings.tools))
    sends = "yes, after a person has agreed" if rule.settings.sending else "no"
    names = "shown" if rule.settings.contacts else "not shown"
    if not settings.sending:
        sends += " (the server runs without --allow-send)"
    if not settings.contacts:
        names += f" ({CONTACTS_VARIABLE} is not set)"
    return f"lines: {lines}; tools: {tools}; sending: {sends}; names of the contacts file: {names}"
