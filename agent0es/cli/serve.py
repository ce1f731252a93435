"""`agent0es serve`: the service of a store."""

from pathlib import Path

import click

from agent0es.cli.output import printable, store_option, write_lines
from agent0es.errors import NotInstalled, UserError


@click.command("serve")
@store_option
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="The address to listen at.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8517, show_default=True, help="0 takes a free one and says which."
)
@click.option("--router", "with_router", is_flag=True, help="Answer at /v1 as a server of OpenAI's kind.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A file with the token that clients must show; or AGENT0ES_SERVICE_TOKEN.",
)
@click.option("--tls-cert", type=click.Path(path_type=Path), metavar="FILE", help="Certificate, for https.")
@click.option("--tls-key", type=click.Path(path_type=Path), metavar="FILE", help="Its private key.")
@click.option("--plain-http", is_flag=True, help="Serve others without TLS: something else encrypts.")
@click.option(
    "--allow-host", "allowed", multiple=True, metavar="NAME", help="Another name of this service; repeatable."
)
@click.option("--config", "config_file", type=click.Path(path_type=Path), metavar="FILE", help="YAML file.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Set one key, e.g. router.drafts=5.")
def serve_command(
    store: Path,
    host: str,
    port: int,
    with_router: bool,
    token_file: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    plain_http: bool,
    allowed: tuple[str, ...],
    config_file: Path | None,
    overrides: tuple[str, ...],
) -> None:
    """Serve the store to browsers and programs.

    Only this machine can reach it, unless --host says otherwise; then clients must show a token, and --tls-cert and
    --tls-key, or --plain-http, are needed. Ctrl-C and SIGTERM end it cleanly.
    """
    from agent0es.runs.launching import Settings

    try:
        from agent0es.service.serving import access_of, serve
    except ModuleNotFoundError as error:
        raise NotInstalled(
            f"serve needs {error.name}, which is not installed; in a checkout: pip install '.[service]'"
        ) from None
    if (tls_cert is None) != (tls_key is None):
        raise UserError("--tls-cert and --tls-key belong together: give both, or none")
    tls = None if tls_cert is None or tls_key is None else (tls_cert, tls_key)
    access = access_of(host, token_file, allowed, tls is not None, plain_http)

    def told(address: str) -> None:
        write_lines([printable(f"Serving {store} at {address}; stop it with Ctrl-C")])

    serve(
        store,
        Settings(config_file, overrides),
        access,
        host=host,
        port=port,
        tls=tls,
        with_router=with_router,
        on_listening=told,
    )
