"""`linq-mcp http`: serve a team over Streamable HTTP."""

from __future__ import annotations

import logging
import os
import signal
import sys
from argparse import Namespace

from linq_mcp.cli.account import open_account
from linq_mcp.cli.output import log_to_stderr, warn
from linq_mcp.cli.parser import USAGE_ERROR


def run(options: Namespace) -> int:
    """Serve until SIGINT or SIGTERM. A configuration that would let strangers in is a usage error."""
    # Until the server handles SIGTERM itself. Without a handler, the first process of a container would ignore it.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    from linq_mcp.server.client_provider import HeaderClientProvider
    from linq_mcp.server.settings_messages import describe_flaw, format_problem
    from linq_mcp.settings import CONTACTS_VARIABLE, HTTP_TOKEN_VARIABLE
    from linq_mcp.settings.problems import LaunchedBy
    from linq_mcp.transports.http.config import HttpConfig, validate_http_config
    from linq_mcp.transports.http.run import serve

    account, settings = open_account(options, LaunchedBy.SERVICE)
    # The access log is on unless a level was asked for.
    log_to_stderr(settings.log_level if settings.log_level_is_set else "INFO", options.log_format)
    own_key = options.key_from == "settings" or options.demo
    if settings.http_token_flaw and own_key:
        flaw = describe_flaw(settings.http_token_flaw, "token")
        print(f"linq-mcp http: {HTTP_TOKEN_VARIABLE} {flaw}", file=sys.stderr)
        return USAGE_ERROR
    try:
        config = validate_http_config(
            HttpConfig(
                host=options.host,
                port=options.port,
                path=options.path,
                allowed_hosts=options.allowed_host,
                allowed_origins=options.allowed_origin,
                own_key=own_key,
                token=settings.http_token if own_key else None,
                calls_per_minute=options.calls_per_minute,
            )
        )
    except ValueError as error:
        print(f"linq-mcp http: {error}", file=sys.stderr)
        return USAGE_ERROR
    warn(settings.warnings)
    logger = logging.getLogger(__name__)
    if problem := settings.problem if own_key else settings.keyless_problem:
        logger.warning("every call will be refused: %s", format_problem(problem, settings.launched_by))
    if (settings.http_token or settings.http_token_flaw) and not own_key:
        logger.warning(
            "%s is not used: with --key-from header each caller sends their own Linq key", HTTP_TOKEN_VARIABLE
        )
    if settings.contacts and not own_key:
        logger.warning("%s is not used: with --key-from header callers read accounts of their own", CONTACTS_VARIABLE)
    if own_key and not config.token:
        logger.warning(
            "everyone on this machine can read the account through this server; to prevent that, set %s",
            HTTP_TOKEN_VARIABLE,
        )
    try:
        serve(account if own_key else HeaderClientProvider(settings), config)
    except OSError as error:
        print(f"linq-mcp http: can't listen on {config.host} port {config.port} ({error.strerror})", file=sys.stderr)
        return 1
    return 0
