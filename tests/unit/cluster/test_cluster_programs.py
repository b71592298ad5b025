"""What is built, under which name it is kept, and what an image of one program is."""

import io
import json
import re
import shutil
import tarfile
from pathlib import Path

import pytest

from cluster import binaries, oci
from cluster.layout import REPOSITORY, Layout, Refused

MODULES = REPOSITORY / "hack" / "cluster" / "go"
GO_MOD = (MODULES / "go.mod").read_text()


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MODULES, tmp_path / "go"))


@pytest.mark.parametrize("file", ["go.mod", "go.sum", "pause/main.go"])
def test_every_input_of_the_build_changes_the_key(modules: Path, file: str):
    before = binaries.checksum(modules)
    (modules / file).write_text((modules / file).read_text() + "\n")
    assert binaries.checksum(modules) != before


def test_a_file_that_is_not_built_does_not_change_the_key(modules: Path):
    before = binaries.checksum(modules)
    (modules / "notes.txt").write_text("later")
    assert binaries.checksum(modules) == before


def test_the_folder_of_programs_names_version_and_key(layout: Layout):
    name = binaries.folder(layout).name
    assert re.fullmatch(r"kubernetes-v1\.35\.4-\w+-[0-9a-f]{12}", name)


def test_the_api_tests_build_two_programs_only():
    names = [program.name for program in binaries.chosen(["kube-apiserver", "etcd"])]
    assert names == ["etcd", "kube-apiserver"]


def test_an_unknown_program_is_refused_with_the_known_ones():
    with pytest.raises(Refused, match=r"no program kube-api; there are etcd, "):
        binaries.chosen(["kube-api"])


def test_every_program_is_a_tool_of_the_module_or_ours():
    for program in binaries.PROGRAMS:
        assert program.package.startswith("./") or re.search(rf"^\t{re.escape(program.package)}$", GO_MOD, re.MULTILINE)


def test_every_staging_module_is_pinned_to_the_release_of_kubernetes():
    replaced = re.findall(r"^\t(k8s\.io/\S+) => (\S+) (\S+)$", GO_MOD, re.MULTILINE)
    assert len(replaced) == 31
    assert {(source == target, version) for source, target, version in replaced} == {(True, "v0.35.4")}


def test_the_version_is_linked_in_because_clients_refuse_a_server_without():
    assert "-X k8s.io/component-base/version.gitVersion=v1.35.4" in binaries.linker_flags("v1.35.4")


def test_only_programs_that_are_absent_are_built(tmp_path: Path):
    (tmp_path / "etcd").touch()
    programs = binaries.chosen(["etcd", "coredns"])
    assert [program.name for program in binaries.missing(tmp_path, programs)] == ["coredns"]


def _blob(archive: bytes, digest: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        handle = tar.extractfile(f"blobs/sha256/{digest.removeprefix('sha256:')}")
        assert handle is not None
        return handle.read()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    program = tmp_path / "manager"
    program.write_bytes(b"\x7fELF program")
    path = tmp_path / "image.tar"
    path.write_bytes(oci.archive("localhost/manager:1", program, "/manager"))
    return path


def test_an_image_of_a_program_is_the_same_byte_for_byte(archive: Path):
    again = oci.archive("localhost/manager:1", archive.parent / "manager", "/manager")
    assert archive.read_bytes() == again


def test_an_image_of_a_program_runs_it_as_a_user_that_is_not_root(archive: Path):
    content = archive.read_bytes()
    with tarfile.open(archive) as tar:
        index = json.load(tar.extractfile("index.json") or io.BytesIO())
    manifest = json.loads(_blob(content, index["manifests"][0]["digest"]))
    config = json.loads(_blob(content, manifest["config"]["digest"]))
    assert config["config"]["User"] == "65532:65532"
    assert config["config"]["Entrypoint"] == ["/manager"]


def test_a_layer_holds_the_executable_and_nothing_else(archive: Path):
    content = archive.read_bytes()
    with tarfile.open(archive) as tar:
        index = json.load(tar.extractfile("index.json") or io.BytesIO())
    manifest = json.loads(_blob(content, index["manifests"][0]["digest"]))
    with tarfile.open(fileobj=io.BytesIO(_blob(content, manifest["layers"][0]["digest"]))) as layer:
        assert [(member.name, member.mode, member.mtime) for member in layer] == [("manager", 0o755, 0)]


def test_the_names_of_an_archive_are_read_from_its_index(archive: Path):
    assert oci.names_in(archive) == ["localhost/manager:1"]
