"""Work beside the rest: its result, its errors, and digests of files that still grow."""

import hashlib
import threading

import pytest

from converters.background import BLOCK, Background, digest_of


def test_a_result_and_an_error_come_back():
    assert Background(lambda: 7).result() == 7
    with pytest.raises(ZeroDivisionError):
        Background(lambda: 1 // 0).result()


def test_files_one_after_the_other(tmp_path):
    for name in "ab":
        (tmp_path / name).write_bytes(name.encode() * 100)
    found = digest_of(tmp_path / "a", tmp_path / "b").result()
    assert found == hashlib.sha256(b"a" * 100 + b"b" * 100).hexdigest()


def test_a_file_that_grows_is_read_to_its_end(tmp_path):
    finished = threading.Event()
    with (tmp_path / "a").open("wb", buffering=0) as file:
        digest = digest_of(tmp_path / "a", finished=finished)
        for number in range(200):
            file.write(bytes([number]) * 1000)
    finished.set()
    whole = b"".join(bytes([number]) * 1000 for number in range(200))
    assert digest.result() == hashlib.sha256(whole).hexdigest()


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        digest_of(tmp_path / "none").result()


def test_long_files_are_hashed_block_by_block(tmp_path):
    content = bytes(range(256)) * ((2 * BLOCK + 4096) // 256)
    for size in (0, 1, BLOCK, BLOCK + 1, 2 * BLOCK, len(content)):
        (tmp_path / "a").write_bytes(content[:size])
        assert digest_of(tmp_path / "a").result() == hashlib.sha256(content[:size]).hexdigest()
