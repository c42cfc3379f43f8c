"""A walk finds every file once, under a name that can be stored, and says what it left out and why."""

import os
from pathlib import Path

import pytest

from core.errors import BadRequest, Unreadable
from ingest.discover import Found, fingerprint, read_stable, readable, walk


def make(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"text of {name!r}", encoding="utf-8", errors="surrogateescape")


def sources(found: Found) -> list[str]:
    return [file.source for file in found.files]


def skipped(found: Found) -> dict[str, str]:
    return {outcome.source: outcome.reason for outcome in found.skipped}


def test_files_come_sorted_with_slashes_and_their_format(tmp_path: Path) -> None:
    make(tmp_path, "b/z.md", "a.txt", "b/a.PDF", "c/d/e.html")
    found = walk(tmp_path)
    assert [(f.source, f.format.name) for f in found.files] == [
        ("a.txt", "text"),
        ("b/a.PDF", "pdf"),
        ("b/z.md", "markdown"),
        ("c/d/e.html", "html"),
    ]
    assert not found.skipped
    assert not found.failed


@pytest.mark.parametrize(
    "name", ["人事規章.md", "with space.txt", "two\nlines.md", "emoji 🦆.txt", "tab\t.md", "quote'\".txt", "ﬁ\u202eecap.md"]
)
def test_any_name_is_taken_as_it_is(tmp_path: Path, name: str) -> None:
    make(tmp_path, name)
    assert sources(walk(tmp_path)) == [name]


def test_a_name_that_is_not_utf8_becomes_storable(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/caf\xe9.txt"
    Path(os.fsdecode(raw)).write_bytes(b"hello")
    found = walk(tmp_path)
    assert sources(found) == ["caf\\xe9.txt"]
    assert read_stable(found.files[0].path, file_mb=1) == b"hello"
    found.files[0].source.encode("utf-8")


def test_two_names_that_read_the_same_do_not_overwrite_each_other(tmp_path: Path) -> None:
    (tmp_path / "caf\\xe9.txt").write_bytes(b"one")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")).write_bytes(b"two")
    found = walk(tmp_path)
    assert len(found.files) == len(found.failed) == 1
    assert found.failed[0].reason == "unreadable"


def test_readable_keeps_what_is_utf8() -> None:
    assert readable("普通.md") == "普通.md"
    assert readable(os.fsdecode(b"\xff\xfe")) == "\\xff\\xfe"


def test_hidden_lock_and_unknown_files_are_listed_as_skipped(tmp_path: Path) -> None:
    make(tmp_path, ".hidden.md", ".git/config.md", "~$report.docx", ".~lock.a.docx#", "table.csv", "deck.pptx", "noending", "a.md")
    found = walk(tmp_path)
    assert sources(found) == ["a.md"]
    assert skipped(found) == {
        ".hidden.md": "hidden",
        ".git": "hidden",
        "~$report.docx": "hidden",
        ".~lock.a.docx#": "hidden",
        "table.csv": "unsupported",
        "deck.pptx": "unsupported",
        "noending": "unsupported",
    }


def test_a_hidden_root_is_walked(tmp_path: Path) -> None:
    make(tmp_path, ".docs/a.md")
    assert sources(walk(tmp_path / ".docs")) == ["a.md"]


def test_our_own_data_is_left_out(tmp_path: Path) -> None:
    make(tmp_path, "a.md", "data/default/x.md")
    found = walk(tmp_path, leave_out=(tmp_path / "data",))
    assert sources(found) == ["a.md"]
    assert skipped(found) == {"data": "own data"}


def test_links_that_loop_end_the_walk(tmp_path: Path) -> None:
    make(tmp_path, "a/b/x.md")
    (tmp_path / "a/b/up").symlink_to(tmp_path)
    (tmp_path / "a/self").symlink_to(tmp_path / "a/self")
    (tmp_path / "a/here").symlink_to(".")
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    found = walk(tmp_path)
    assert sources(found) == ["a/b/x.md"]
    assert skipped(found) == dict.fromkeys(["a/b/up", "a/self", "a/here", "one", "two"], "link")


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    make(tmp_path, "outside/secret.md", "root/a.md")
    (tmp_path / "root/file.md").symlink_to(tmp_path / "outside/secret.md")
    (tmp_path / "root/folder").symlink_to(tmp_path / "outside")
    (tmp_path / "root/passwd.txt").symlink_to("/etc/passwd")
    found = walk(tmp_path / "root")
    assert sources(found) == ["a.md"]
    assert skipped(found) == {"file.md": "link", "folder": "link", "passwd.txt": "link"}


def test_links_inside_the_folder_are_followed(tmp_path: Path) -> None:
    """As a container platform mounts its files: names are links into a hidden folder."""
    make(tmp_path, "..v1/a.md", ".store/deep/b.md", "real/c.md")
    (tmp_path / "a.md").symlink_to("..v1/a.md")
    (tmp_path / "linked").symlink_to(".store")
    (tmp_path / "again").symlink_to("real")
    found = walk(tmp_path)
    assert sources(found) == ["a.md", "linked/deep/b.md", "real/c.md"]
    assert skipped(found)["again"] == "link", "a folder keeps its own name, whatever the link to it is called"


def test_a_link_to_nothing_is_listed(tmp_path: Path) -> None:
    make(tmp_path, "a.md")
    (tmp_path / "gone.md").symlink_to("nowhere.md")
    assert skipped(walk(tmp_path)) == {"gone.md": "link"}


def test_pipes_are_not_opened(tmp_path: Path) -> None:
    make(tmp_path, "a.md")
    os.mkfifo(tmp_path / "pipe.md")
    assert skipped(walk(tmp_path)) == {"pipe.md": "not a file"}


def test_a_missing_folder_a_file_and_a_loop_are_refused(tmp_path: Path) -> None:
    make(tmp_path, "a.md")
    (tmp_path / "loop").symlink_to("loop")
    for path, words in ((tmp_path / "nowhere", "does not exist"), (tmp_path / "a.md", "is a file"), (tmp_path / "loop", "cannot be read")):
        with pytest.raises(BadRequest, match=words):
            walk(path)


def test_a_deep_tree_is_walked_without_recursion(tmp_path: Path) -> None:
    make(tmp_path, "/".join(["d"] * 300) + "/x.md")
    assert len(walk(tmp_path).files) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_a_failure(tmp_path: Path) -> None:
    make(tmp_path, "a.md", "closed/b.md")
    (tmp_path / "closed").chmod(0)
    try:
        found = walk(tmp_path)
    finally:
        (tmp_path / "closed").chmod(0o755)
    assert [(o.source, o.reason) for o in found.failed] == [("closed", "unreadable")]


# ---- reading


class Rewriter:
    """A pause that changes the file, as another program would, so that the next look at it differs."""

    def __init__(self, path: Path, times: int) -> None:
        self.path = path
        self.left = times

    def grow(self) -> None:
        if self.left:
            self.left -= 1
            with self.path.open("ab") as file:
                file.write(b"more")


class GrowingPath(type(Path())):  # type: ignore[misc]
    """A path whose file grows each time its state is asked for, which is around every reading of it."""

    rewriter: Rewriter | None = None

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        state = super().stat(follow_symlinks=follow_symlinks)
        if self.rewriter is not None:
            self.rewriter.grow()
        return state


def growing(path: Path, times: int) -> GrowingPath:
    path.write_bytes(b"begin")
    changing = GrowingPath(path)
    changing.rewriter = Rewriter(path, times)
    return changing


def test_a_file_that_changes_once_is_read_again(tmp_path: Path) -> None:
    waits: list[float] = []
    data = read_stable(growing(tmp_path / "a.txt", 1), file_mb=1, pause=waits.append)
    assert data == b"beginmore"
    assert len(waits) == 1


def test_a_file_that_keeps_changing_fails(tmp_path: Path) -> None:
    waits: list[float] = []
    with pytest.raises(Unreadable) as caught:
        read_stable(growing(tmp_path / "a.txt", 1000), file_mb=1, pause=waits.append)
    assert caught.value.reason == "changed"
    assert len(waits) == 2
    assert sum(waits) < 1, "the others wait for it"


def test_a_vanished_file_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(Unreadable) as caught:
        read_stable(tmp_path / "gone.txt", file_mb=1)
    assert caught.value.reason == "unreadable"
    with pytest.raises(Unreadable):
        fingerprint(tmp_path / "gone.txt", file_mb=1)


def test_a_file_over_the_limit_is_refused_unread_and_the_setting_is_named(tmp_path: Path) -> None:
    path = tmp_path / "big.txt"
    with path.open("wb") as file:
        file.truncate(3_000_000)
    for read in (fingerprint, read_stable):
        with pytest.raises(Unreadable, match="QA_FILE_MB") as caught:
            read(path, file_mb=2)
        assert caught.value.reason == "limit"
    assert len(read_stable(path, file_mb=3)) == 3_000_000


def test_a_fingerprint_is_the_hash_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert fingerprint(tmp_path / "a", file_mb=1) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_pipe_that_took_the_place_of_a_file_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.txt")
    assert read_stable(tmp_path / "a.txt", file_mb=1) == b""
