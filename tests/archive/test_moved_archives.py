"""Files of an archive in several directories, of which one has been moved; and what is said of those not there."""

from pathlib import Path

import pytest
from archive.stretches import Original
from archive.test_archiving import HOUR_MS, ends_at
from cli.command_line import answered, refused, said

from understudy.adapters.archive import archive
from understudy.adapters.stores import SqliteLog
from understudy.replay.verify import verify

# The log that they share is made once.
pytestmark = pytest.mark.xdist_group("archive")


def flip(file: Path) -> None:
    """Alter one bit of a file."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.fixture
def files(old_log: Path, tmp_path: Path) -> list[Path]:
    """A file where files go by default, and a later one in a directory that has been moved to `moved`."""
    (by_default,) = archive(old_log, older_than_ms=3 * HOUR_MS, now_us=ends_at(old_log)).files
    (named,) = archive(old_log, older_than_ms=HOUR_MS, now_us=ends_at(old_log), to=tmp_path / "named").files
    named.parent.rename(tmp_path / "moved")
    return [by_default, tmp_path / "moved" / named.name]


def test_what_is_not_in_the_directory_that_is_named_is_found_where_it_was_put(
    lived: Path, old_log: Path, files: list[Path]
) -> None:
    moved = files[1].parent
    Original(lived).assert_kept(old_log, archive=moved)
    log = SqliteLog(old_log, archive=moved)
    with log.reader() as reader:
        assert verify(reader).ok
    found = answered("verify", old_log, "--archive", moved)
    assert (found["ok"], found["archive"]["files"], found["archive"]["verified_after"]) == (True, 2, 0)
    assert "2 files, as written" in said("verify", old_log, "--archive", moved)


def test_a_copy_in_the_directory_that_is_named_goes_before_one_where_it_was_put(
    lived: Path, old_log: Path, files: list[Path]
) -> None:
    by_default, moved = files[0], files[1].parent
    (moved / by_default.name).write_bytes(by_default.read_bytes())
    flip(by_default)
    Original(lived).assert_kept(old_log, archive=moved)


@pytest.mark.parametrize("named", ["with a directory", "without"])
def test_files_that_are_not_there_are_no_fault_of_the_log_and_altered_ones_are(
    old_log: Path, tmp_path: Path, files: list[Path], named: str
) -> None:
    by_default, moved = files
    (tmp_path / "empty").mkdir()
    words = ("--archive", str(tmp_path / "empty")) if named == "with a directory" else ()
    found = answered("verify", old_log, *words)
    assert (found["ok"], found["archive"]["faults"]) == (True, [])
    assert found["archive"]["verified_after"] == found["archive"]["through"]
    put = f"{tmp_path / 'named' / moved.name}: "
    beginning = f"{tmp_path / 'empty' / moved.name} is not there, nor is {put}" if words else put[:-2] + " is not there"
    assert found["archive"]["why_not"].startswith(beginning)
    assert "not looked at" in said("verify", old_log, *words)
    flip(by_default)
    altered = answered("verify", old_log, *words, code=1)
    assert not altered["ok"]
    assert [one.partition(":")[0] for one in altered["archive"]["faults"]] == [f"{by_default} is not what was written"]
    assert altered["archive"]["why_not"] == found["archive"]["why_not"]


def test_a_doctor_advises_to_look_for_a_file_and_finds_an_altered_one_wrong(old_log: Path, files: list[Path]) -> None:
    def of_the_archive(*words: str, code: int) -> list[tuple[str, str]]:
        told = answered("doctor", old_log, "--check", "archive", *words, code=code)["checks"]
        return [(one["verdict"], one["says"]) for one in told]

    advised = of_the_archive(code=0)
    assert [verdict for verdict, _ in advised] == ["advice"]
    assert f"{files[1].name} is not there" in advised[0][1]
    assert of_the_archive("--full", code=0) == advised
    assert answered("doctor", old_log, "--full")["ok"]
    flip(files[0])
    assert [verdict for verdict, _ in of_the_archive("--full", code=1)] == ["wrong", "advice"]
    assert [verdict for verdict, _ in of_the_archive("--full", "--archive", str(files[1].parent), code=1)] == ["wrong"]


@pytest.mark.parametrize("command", ["verify", "archive"])
def test_two_directories_are_refused(old_log: Path, tmp_path: Path, command: str) -> None:
    twice = refused(command, old_log, "--archive", tmp_path, "--archive", old_log.parent)
    assert "--archive names one directory; put the files that were moved into one" in twice


@pytest.mark.parametrize("words", [("--dry-run",), (), ("--older-than", "9999d")])
def test_that_no_file_can_be_put_there_is_told_before_there_is_anything_to_put(
    old_log: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    assert "no file can be put in /proc/nope: nothing can be made in /proc" in refused(
        "archive", old_log, *words, "--to", "/proc/nope"
    )
    (tmp_path / "file").touch()
    told = refused("archive", old_log, *words, "--to", tmp_path / "file" / "archive")
    assert f"{tmp_path / 'file'} is a file, and no directory" in told
    assert "write access" not in told
