"""The digest of a folder: a Merkle tree that any change shows in and nothing else does."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import fs

from gyre_data.digest import File, data_files, is_data, leaf, of_folder, root

paths = st.from_regex(r"[a-z0-9]{1,6}(/[a-z0-9]{1,6}){0,2}", fullmatch=True)
contents = st.dictionaries(paths, st.binary(max_size=40), min_size=1, max_size=9)


def files_of(tree: dict[str, bytes]) -> list[File]:
    return [File(path, hashlib.sha256(content).digest(), len(content)) for path, content in tree.items()]


@given(contents, st.randoms())
def test_the_order_of_listing_does_not_matter(tree, random):
    files = files_of(tree)
    shuffled = random.sample(files, len(files))
    assert root(files) == root(shuffled)


@given(contents, st.data())
def test_any_changed_renamed_added_or_removed_file_gives_another_root(tree, data):
    before = root(files_of(tree))
    path = data.draw(st.sampled_from(sorted(tree)))
    assert root(files_of({**tree, path: tree[path] + b"x"})) != before
    assert root(files_of({**tree, path + "-new": b""})) != before
    renamed = {(path + "-moved" if name == path else name): content for name, content in tree.items()}
    assert root(files_of(renamed)) != before
    if len(tree) > 1:
        assert root(files_of({name: content for name, content in tree.items() if name != path})) != before


def test_the_tree_has_the_shape_of_rfc_6962_over_three_leaves():
    one, two, three = (leaf(file) for file in files_of({"a": b"1", "b": b"2", "c": b"3"}))
    pair = hashlib.sha256(b"\x01" + one + two).digest()
    assert (
        root(files_of({"c": b"3", "a": b"1", "b": b"2"}))
        == "sha256:" + hashlib.sha256(b"\x01" + pair + three).hexdigest()
    )


def test_one_file_is_its_own_leaf_as_the_contract_spells_it():
    content = b"hello"
    spelled = b"\x00" + b"dir/a" + b"\x00" + hashlib.sha256(content).digest() + (5).to_bytes(8, "big")
    assert root(files_of({"dir/a": content})) == "sha256:" + hashlib.sha256(spelled).hexdigest()


def test_paths_are_ordered_by_their_bytes():
    assert root(files_of({"é": b"1", "z": b"2"})) == root(files_of({"z": b"2", "é": b"1"}))


@pytest.mark.parametrize("path", [".hidden", "_SUCCESS", "a/.crc", "_tmp/a", "a/_b/c"])
def test_hidden_names_are_no_data(path):
    assert not is_data(path)


def test_a_folder_is_read_through_the_file_system(tmp_path: Path):
    tree = {"month=01/part-0.parquet": b"one", "month=02/part-0.parquet": b"two"}
    for path, content in {**tree, "_SUCCESS": b"", "month=01/.part-0.crc": b"no"}.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    local, selector = fs.LocalFileSystem(), fs.FileSelector(str(tmp_path), recursive=True)
    assert [path for _, path in data_files(local, str(tmp_path), selector)] == sorted(tree)
    assert root(of_folder(local, str(tmp_path), selector)) == root(files_of(tree))


def test_no_file_and_a_path_given_twice_are_errors():
    with pytest.raises(ValueError, match="no file"):
        root([])
    with pytest.raises(ValueError, match="twice"):
        root(files_of({"a": b"1"}) + files_of({"a": b"2"}))
