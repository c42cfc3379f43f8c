import logging
import re

import pytest

from core.logs import set_up_logs


def test_one_line_an_event_in_utc_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("INFO")
    logging.getLogger("index").info("generation published number=%d", 3)
    logging.getLogger("index").debug("not shown")
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ INFO index generation published number=3\n", err)


def test_set_up_twice_does_not_write_twice(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("INFO")
    set_up_logs("INFO")
    logging.getLogger("x").warning("once")
    assert capsys.readouterr().err.count("once") == 1


def test_libraries_that_talk_much_are_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("DEBUG")
    logging.getLogger("httpx").info("HTTP Request")
    logging.getLogger("pypdf").warning("odd object")
    assert capsys.readouterr().err == ""
