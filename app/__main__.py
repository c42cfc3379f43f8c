"""`python -m app`: serve the page and the API. Exit codes: 0 stopped, 2 could not start (one line says why)."""

import argparse
import errno
import socket
import sys

import uvicorn

from app.main import build_services, create_app
from core.errors import BadRequest, QaError
from core.logs import set_up_logs
from core.settings import Settings, read_settings

BACKLOG = 2048
GRACE_S = 20


def main(arguments: list[str] | None = None) -> int:
    """Run until stopped. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m app", description="Serve the page and the API over the index.", epilog="Other settings are QA_* variables."
    )
    parser.add_argument("--host", help="address to listen on (QA_HOST)")
    parser.add_argument("--port", type=int, help="port to listen on (QA_PORT)")
    given = {name: value for name, value in vars(parser.parse_args(arguments)).items() if value is not None}
    try:
        base = read_settings()
        settings = base.model_copy(update=given)
        set_up_logs(settings.log_level)
        # The port first: a second service must not spend seconds on loading weights before it learns that it is one.
        listener = listen(settings)
        services = build_services(settings)
    except QaError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    config = uvicorn.Config(create_app(services), log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=GRACE_S)
    sys.stderr.write(f"Domain QA listens on http://{settings.host}:{listener.getsockname()[1]}\n")
    uvicorn.Server(config).run(sockets=[listener])
    services.library.close()
    return 0


def listen(settings: Settings) -> socket.socket:
    """A listening socket. BadRequest when the address cannot be had."""
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            why = "is in use, perhaps by another Domain QA: stop that one, or set QA_PORT to a free port"
        else:
            why = f"cannot be listened on ({error.strerror or error}): set QA_HOST and QA_PORT"
        raise BadRequest(f"{settings.host}:{settings.port} {why}") from error


if __name__ == "__main__":
    sys.exit(main())
