"""One file a format, each with `load(data: bytes) -> Parsed`; `formats.py` is the list of them."""
