"""The command line. Each command is a module that is imported only when the command runs."""

from __future__ import annotations

import errno
import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from linq_mcp.cli.parser import build_parser

_INTERRUPTED = 130
# The reader of stdout has closed it (`linq-mcp demo | head`), or its file can't grow.
_NO_READER = {errno.EPIPE}
_NO_ROOM = {errno.ENOSPC, errno.EFBIG, errno.EIO, *([errno.EDQUOT] if hasattr(errno, "EDQUOT") else [])}


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and end the process. Exit codes: 0 success, 1 failure, 2 usage error, 130 interrupted."""
    try:
        try:
            code = _run(build_parser().parse_args(argv))
        finally:
            if sys.stdout:
                sys.stdout.flush()
    except KeyboardInterrupt:
        code = _INTERRUPTED
    except OSError as error:
        if error.errno not in _NO_READER | _NO_ROOM:
            raise
        code = 1
        if error.errno in _NO_ROOM:
            sys.stderr.write(f"linq-mcp: the output can't be written ({error.strerror})\n")
        # Flushing stdout at exit would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _run(options: Namespace) -> int:
    module = import_module(f"linq_mcp.cli.{(options.command or 'serve').replace('-', '_')}")
    code: int = module.run(options)
    return code
