"""The live-update bench: the folders it makes, and when it believes that a service followed."""

from pathlib import Path

import httpx
import pytest

from bench.live_update import COLLECTION, Watch, change, follows, found


def client_that_finds(*texts: str, status: int = 200) -> httpx.Client:
    def handle(request: httpx.Request) -> httpx.Response:
        assert COLLECTION.encode() in request.content
        return httpx.Response(status, json={"hits": [{"text": text} for text in texts]})

    return httpx.Client(base_url="http://service", transport=httpx.MockTransport(handle))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_each_change_edits_one_file_deletes_one_and_adds_one(tmp_path: Path) -> None:
    change(tmp_path, 0)
    first = (tmp_path / "manual.md").read_text(encoding="utf-8")
    assert names(tmp_path) == {"manual.md", "notice-0.txt"}
    change(tmp_path, 1)
    assert names(tmp_path) == {"manual.md", "notice-1.txt"}
    assert (tmp_path / "manual.md").read_text(encoding="utf-8") != first


def test_the_first_change_needs_no_earlier_notice(tmp_path: Path) -> None:
    change(tmp_path, 7)
    assert "notice-7.txt" in names(tmp_path)


NEW = ("The pump runs at 102 bar. 幫浦壓力為 102 巴。", "Notice 2: valve V-2 was replaced.")
OLD = ("The pump runs at 101 bar. 幫浦壓力為 101 巴。", "Notice 1: valve V-1 was replaced.")


@pytest.mark.parametrize(
    ("texts", "followed"),
    [
        (NEW, True),
        (OLD, False),
        ((*NEW, OLD[0]), False),
        ((*NEW, OLD[1]), False),
        (NEW[:1], False),
        ((), False),
    ],
)
def test_an_update_is_followed_when_all_of_the_new_and_none_of_the_old_is_found(texts: tuple[str, ...], followed: bool) -> None:
    with client_that_finds(*texts) as client:
        assert follows(client, 2) is followed


def test_a_failed_search_is_an_error_not_an_empty_result() -> None:
    with client_that_finds(status=503) as client, pytest.raises(httpx.HTTPStatusError):
        found(client, "pump")


@pytest.mark.parametrize(("status", "some_failed"), [(200, False), (500, True)])
def test_the_watch_counts_requests_and_failures(status: int, some_failed: bool) -> None:
    with client_that_finds("x", status=status) as client:
        with Watch(client) as watch:
            while watch.requests < 3:
                pass
        assert watch.requests >= 3
        assert (watch.failed > 0) is some_failed
