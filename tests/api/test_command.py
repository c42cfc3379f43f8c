"""`python -m app`: its help, and a clear word when it cannot start."""

import socket

import pytest

from app.__main__ import listen, main
from core.errors import BadRequest
from core.settings import Settings


def test_help_names_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    assert "python -m app" in capsys.readouterr().out


def test_a_second_service_on_the_same_port_is_told_so_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        assert main(["--port", str(port)]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert f"127.0.0.1:{port} is in use" in lines[0]
    assert "QA_PORT" in lines[0]


def test_an_address_that_is_not_ours_is_told_so() -> None:
    with pytest.raises(BadRequest, match="QA_HOST"):
        listen(Settings(host="192.0.2.1"))


def test_a_free_port_is_had() -> None:
    with listen(Settings(port=0)) as listener:
        assert listener.getsockname()[1] > 0
