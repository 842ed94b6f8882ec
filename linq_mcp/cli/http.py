"""`linq-mcp http`: serve a team over Streamable HTTP."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from linq_mcp.cli.account import open_account, read_rules
from linq_mcp.cli.parser import USAGE_ERROR
from linq_mcp.cli.stderr import log_to_stderr, warn

if TYPE_CHECKING:
    from linq_mcp.server.callers.caller import ClientProvider, SettingsClientProvider
    from linq_mcp.settings import Settings
    from linq_mcp.transports.http.auth.challenge import SignIn
    from linq_mcp.transports.http.config import HttpConfig
    from linq_mcp.transports.http.metrics import Metrics

logger = logging.getLogger(__name__)

_SIGN_IN = "sign-in"
# The options that sign-in needs, with an example of each.
_NEEDED = {
    "--issuer": "the URL of your identity provider, such as https://id.example.com",
    "--public-url": "the URL by which clients call this server, such as https://mcp.example.com/mcp",
    "--access": "the file with the rules from claims to keys, such as access.toml",
}
_OPTIONAL = ("--audience", "--scope", "--send-scope")


def run(options: Namespace) -> int:
    """Serve until SIGINT or SIGTERM. A configuration that would let strangers in is a usage error."""
    # Until the server handles SIGTERM itself. Without a handler, the first process of a container would ignore it.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    from linq_mcp.settings.problems import LaunchedBy
    from linq_mcp.transports.http.run import serve

    metrics = _open_metrics()
    account, settings = open_account(options, LaunchedBy.SERVICE)
    # The access log is on unless a level was asked for.
    log_to_stderr(settings.log_level if settings.log_level_is_set else "INFO", options.log_format)
    try:
        sign_in = _sign_in(options)
        config = _config(options, settings, sign_in)
        provider = _provider(options, settings, account, config)
    except ValueError as error:
        print(f"linq-mcp http: {error}", file=sys.stderr)
        return USAGE_ERROR
    _warn(options, settings, config)
    logger.info("in force: %s", _in_force(options, settings, config))
    # Imported modules are never freed. Objects that are alive during a collection are looked at much later; with
    # hundreds of calls at a time these are many, so collect more often than for one client.
    gc.freeze()
    gc.set_threshold(5_000, 10, 5)
    try:
        serve(provider, config, sign_in, metrics)
    except OSError as error:
        print(f"linq-mcp http: can't listen on {config.host} port {config.port} ({error.strerror})", file=sys.stderr)
        return 1
    return 0


def _open_metrics() -> Metrics | None:
    """The server's metrics; None without the extra."""
    try:
        from linq_mcp.transports.http.metrics import Metrics
    except ModuleNotFoundError:
        return None
    return Metrics()


def _sign_in(options: Namespace) -> SignIn | None:
    """Sign-in by its options; None without it. Raises ValueError."""
    given = {name: getattr(options, name.removeprefix("--").replace("-", "_")) for name in (*_NEEDED, *_OPTIONAL)}
    if options.key_from != _SIGN_IN:
        if unused := [name for name, value in given.items() if value]:
            raise ValueError(f"only --key-from {_SIGN_IN} has a use for {', '.join(unused)}")
        return None
    if missing := [f"{name}, {purpose}" for name, purpose in _NEEDED.items() if not given[name]]:
        raise ValueError(f"--key-from {_SIGN_IN} needs {'; '.join(missing)}")
    if options.demo:
        raise ValueError(
            f"--demo needs no key, and --key-from {_SIGN_IN} takes keys from the access file: leave one of them out"
        )
    from linq_mcp.transports.http.auth.challenge import SignIn, SignInConfig, validate_sign_in

    config = SignInConfig(
        issuer=options.issuer,
        public_url=options.public_url,
        audiences=options.audience,
        scopes=options.scope,
        send_scope=options.send_scope,
    )
    return SignIn(validate_sign_in(config))


def _config(options: Namespace, settings: Settings, sign_in: SignIn | None) -> HttpConfig:
    """How the server listens, and whom it lets in. Raises ValueError."""
    from linq_mcp.settings import HTTP_TOKEN_VARIABLE
    from linq_mcp.transports.http.config import HttpConfig, validate_http_config
    from linq_mcp.wording.settings import describe_flaw

    own_key = options.key_from == "settings" or options.demo
    if settings.http_token_flaw and own_key:
        raise ValueError(f"{HTTP_TOKEN_VARIABLE} {describe_flaw(settings.http_token_flaw, 'token')}")
    public_host = [sign_in.config.public_host] if sign_in else []
    return validate_http_config(
        HttpConfig(
            host=options.host,
            port=options.port,
            path=options.path,
            allowed_hosts=[*options.allowed_host, *public_host],
            allowed_origins=options.allowed_origin,
            own_key=own_key,
            token=settings.http_token if own_key else None,
            audit=settings.log_subject,
        )
    )


def _provider(
    options: Namespace,
    settings: Settings,
    account: SettingsClientProvider,
    config: HttpConfig,
) -> ClientProvider:
    """Whose account each call reads. Raises ValueError if the access file can't be used."""
    if config.own_key:
        return account
    if options.key_from != _SIGN_IN:
        from linq_mcp.server.callers.many import HeaderClientProvider

        return HeaderClientProvider(settings)
    from linq_mcp.server.callers.many import AccessFile, SignInClientProvider

    return SignInClientProvider(settings, AccessFile(lambda: read_rules(options.access, settings)))


def _in_force(options: Namespace, settings: Settings, config: HttpConfig) -> str:
    """The keys, lines, tools, and other settings that apply, in one line without a secret."""
    from linq_mcp.cli.doctor import describe_sending
    from linq_mcp.wording.settings import describe_key_source

    keys = {"header": "each caller's own", _SIGN_IN: "those of the access file"}.get(options.key_from)
    if config.own_key or keys is None:
        keys = f"the server's own, from {describe_key_source(settings.key_source, settings.profile)}"
    lines, tools = (", ".join(names) or "all" for names in (settings.lines, settings.tools))
    audit = "with names" if config.audit else "without names"
    store = "in PostgreSQL" if settings.store.url else "in a file" if settings.store.path else "in memory"
    if options.key_from == "header":
        store = "in memory"
    sending = describe_sending(settings.sending).partition(". ")[0].rstrip(".")
    return f"keys: {keys}; {sending}; open lines: {lines}; open tools: {tools}; store: {store}; log: {audit}"


def _warn(options: Namespace, settings: Settings, config: HttpConfig) -> None:
    """Log flaws of the settings, and those that are not used."""
    from linq_mcp.settings import CONTACTS_VARIABLE, HTTP_TOKEN_VARIABLE
    from linq_mcp.wording.settings import format_problem

    warn(settings.warnings)
    if problem := settings.problem if config.own_key else settings.keyless_problem:
        logger.warning("every call will be refused: %s", format_problem(problem, settings.launched_by))
    how = f"with --key-from {options.key_from} each caller"
    if (settings.http_token or settings.http_token_flaw) and not config.own_key:
        does = "signs in" if options.key_from == _SIGN_IN else "sends their own Linq key"
        logger.warning("%s is not used: %s %s", HTTP_TOKEN_VARIABLE, how, does)
    if settings.contacts and not config.own_key and options.key_from != _SIGN_IN:
        logger.warning("%s is not used: %s reads an account of their own", CONTACTS_VARIABLE, how)
    if config.own_key and not config.token:
        logger.warning(
            "everyone on this machine can read the account through this server; to prevent that, set %s",
            HTTP_TOKEN_VARIABLE,
        )
