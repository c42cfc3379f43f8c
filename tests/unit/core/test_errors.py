import inspect

import core.errors as errors
from core.errors import Conflict, EmbedderMismatch, GeneratorDown, QaError, Unavailable, Unreadable


def classes() -> list[type[QaError]]:
    return [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, QaError)]


def test_every_problem_type_is_its_own() -> None:
    types = [c.type for c in classes()]
    assert len(types) == len(set(types))


def test_the_tree_in_the_docstring_names_every_class() -> None:
    missing = [c.__name__ for c in classes() if c.__name__ not in (errors.__doc__ or "")]
    assert not missing


def test_a_caller_may_catch_by_what_it_can_do_about_it() -> None:
    assert issubclass(GeneratorDown, Unavailable)
    assert issubclass(EmbedderMismatch, Conflict)


def test_an_unreadable_file_keeps_a_short_reason_beside_its_detail() -> None:
    error = Unreadable("encrypted", "a password is needed")
    assert (error.reason, str(error)) == ("encrypted", "encrypted: a password is needed")
    assert str(Unreadable("no text")) == "no text"
