"""What the container `models-embedder` does once: fetch the embedder's weights and compile them beside, so that ingest and API,
which may not write there, only load the result. Exit codes: 0 ready, 2 could not be done (one line says why)."""

import sys

from core.errors import QaError
from core.logs import set_up_logs
from core.settings import Settings, read_settings
from index.embedder import open_embedder
from models.pull import pull
from models.weights import weights_dir


def prepare(settings: Settings) -> str:
    """Id of the embedder of `settings`, ready on this machine. A folder in place of a pack is taken as it is."""
    if "/" not in settings.embedder:
        pull([settings.embedder], settings)
    return open_embedder(weights_dir(settings.embedder, settings), backend=settings.embedder_backend, threads=settings.threads).id


def main() -> int:
    """Read the settings, prepare, say so. The exit code."""
    try:
        settings = read_settings()
        set_up_logs(settings.log_level)
        sys.stderr.write(f"{prepare(settings)} is ready\n")
    except QaError as error:
        sys.stderr.write(f"models-embedder: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
