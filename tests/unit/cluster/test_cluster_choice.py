"""Which flavour is chosen, and where its files may be."""

from pathlib import Path

import pytest

from cluster.flavour import Machine, choose
from cluster.layout import MARKER, Layout, Refused, layout_of, version_of

ROOT_WITHOUT_DOCKER = Machine(docker_answers=False, kind_installed=False, linux=True, root=True)


def test_a_named_context_wins_over_docker_and_root():
    machine = Machine(docker_answers=True, kind_installed=True, linux=True, root=True)
    assert choose(machine, context="staging").name == "context"


def test_kind_is_taken_when_a_docker_engine_answers():
    assert choose(Machine(docker_answers=True, kind_installed=True, linux=True, root=True)).name == "kind"


def test_native_is_taken_as_root_without_docker():
    assert choose(ROOT_WITHOUT_DOCKER).name == "native"


def test_native_is_taken_when_docker_answers_but_kind_is_not_installed():
    flavour = choose(Machine(docker_answers=True, kind_installed=False, linux=True, root=True))
    assert (flavour.name, "kind" in flavour.why) == ("native", True)


def test_a_missing_kind_is_named_with_how_to_install_it():
    with pytest.raises(Refused, match=r"go install sigs\.k8s\.io/kind"):
        choose(Machine(docker_answers=True, kind_installed=False, linux=False, root=False))


def test_a_user_without_docker_is_told_all_three_ways():
    with pytest.raises(Refused, match=r"Docker.*root.*--context"):
        choose(Machine(docker_answers=False, kind_installed=True, linux=True, root=False))


def test_the_state_folder_is_in_the_users_cache_by_default():
    assert layout_of({"HOME": "/home/ada"}).state == Path("/home/ada/.cache/gyre/cluster")


def test_the_environment_moves_cache_and_state_apart():
    found = layout_of({"HOME": "/h", "XDG_CACHE_HOME": "/x", "GYRE_CACHE": "/big", "GYRE_CLUSTER_DIR": "/fast/c"})
    assert (found.cache, found.state) == (Path("/big"), Path("/fast/c"))


@pytest.mark.parametrize("variable", ["GYRE_CACHE", "GYRE_CLUSTER_DIR"])
def test_nothing_may_live_inside_the_repository(variable: str):
    with pytest.raises(Refused, match=variable):
        layout_of({"HOME": "/h", variable: "/src/gyre/build"}, repository=Path("/src/gyre"))


def test_a_state_folder_too_deep_for_unix_sockets_is_refused():
    with pytest.raises(Refused, match="too long"):
        layout_of({"HOME": "/h", "GYRE_CLUSTER_DIR": "/d" * 40})


def test_a_folder_with_somebody_elses_files_is_never_taken_as_state(tmp_path: Path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(Refused, match="not a cluster's"):
        Layout(cache=tmp_path, state=tmp_path).claim_state()
    assert not (tmp_path / MARKER).exists()


def test_a_claimed_state_folder_can_be_claimed_again(tmp_path: Path):
    layout = Layout(cache=tmp_path, state=tmp_path / "state")
    layout.claim_state()
    layout.claim_state()
    assert (layout.state / MARKER).exists()


def test_versions_are_read_from_go_mod_in_both_of_its_forms():
    assert version_of("k8s.io/kubernetes", "require (\n\tk8s.io/kubernetes v1.35.4 // indirect\n)") == "v1.35.4"
    assert version_of("example.org/a", "require example.org/a v0.1.0\n") == "v0.1.0"


def test_a_module_that_go_mod_lacks_is_named():
    with pytest.raises(Refused, match=r"example\.org/b"):
        version_of("example.org/b", "module x\n")
