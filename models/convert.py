"""Makes the files that sentence-transformers and vLLM load from the raw files of a pack. Run by `pull` as a process of its own,
so that what the conversion needs in memory and libraries is gone when it ends:

    python -m models.convert e5s1|gguf FORMAT SOURCE FOLDER     # FOLDER exists and is empty; exit code 0, or 1 with one line
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from tqdm import tqdm

from core.errors import QaError
from models.from_e5 import convert_e5
from models.from_gguf import Format, convert_gguf


def main(arguments: Sequence[str]) -> int:
    """Convert one file. The exit code."""
    kind, form, source, folder = arguments
    with tqdm(desc=f"converting to {form}", unit="B", unit_scale=True, file=sys.stderr, disable=None) as bar:
        try:
            if kind == "e5s1":
                convert_e5(Path(source), Path(folder), bar.update)
            else:
                convert_gguf(Path(source), Path(folder), cast(Format, form), bar.update)
        except (QaError, OSError) as error:
            bar.close()
            sys.stderr.write(f"{error}\n")
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
