"""The command line. Each command is a module that is imported only when the command runs."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from linq_mcp.cli.parser import build_parser

_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and end the process. Exit codes: 0 success, 1 failure, 2 usage error, 130 interrupted."""
    try:
        code = _run(build_parser().parse_args(argv))
    except KeyboardInterrupt:
        code = _INTERRUPTED
    except BrokenPipeError:
        # The reader of stdout has closed it (`linq-mcp demo | head`). Flushing it at exit would fail again.
        code = 1
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _run(options: Namespace) -> int:
    module = import_module(f"linq_mcp.cli.{(options.command or 'serve').replace('-', '_')}")
    code: int = module.run(options)
    return code
