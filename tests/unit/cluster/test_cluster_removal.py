"""What `down` takes away and what it leaves to others."""

import json
import os
from pathlib import Path

from cluster import containers, daemons, network
from cluster.steps import Step, ready, unknown_needs

RULES = """\
*nat
:PREROUTING ACCEPT [0:0]
:DOCKER - [0:0]
:KUBE-SERVICES - [0:0]
:CNI-fc70b1 - [0:0]
[3:180] -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
[1:60] -A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -s 10.244.0.5/32 -m comment --comment "name: \\"gyre-pods\\" id: \\"1\\"" -j CNI-fc70b1
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -j KUBE-SVC-NPX46M4PTMTKRN6Y
-A CNI-fc70b1 -d 10.244.0.0/16 -j ACCEPT
-A DOCKER -i docker0 -m comment --comment "not KUBE-SERVICES" -j RETURN
COMMIT
"""


def test_the_rules_of_others_stay_as_they_were():
    assert network.without_ours(RULES) == (
        "*nat\n"
        ":PREROUTING ACCEPT [0:0]\n"
        ":DOCKER - [0:0]\n"
        "[3:180] -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n"
        '-A DOCKER -i docker0 -m comment --comment "not KUBE-SERVICES" -j RETURN\n'
        "COMMIT\n"
    )


def test_rules_without_ours_are_not_touched():
    clean = network.without_ours(RULES)
    assert network.without_ours(clean) == clean


def test_the_network_namespace_of_a_pod_is_found_in_cnis_note():
    note = {"result": {"interfaces": [{"name": "veth1"}, {"name": "eth0", "sandbox": "/var/run/netns/cni-1"}]}}
    assert network.sandboxes(json.dumps(note)) == {"cni-1"}


def test_a_torn_note_of_cni_names_no_namespace():
    assert network.sandboxes('{"result": {"inter') == set()


def test_mounts_are_undone_from_the_inside_out_and_only_ours():
    table = (
        "overlay /run/gyre-containerd/task/1/rootfs overlay rw 0 0\n"
        "tmpfs /state/kubelet/pods/a/volumes/token tmpfs rw 0 0\n"
        "tmpfs /state/kubelet/pods/with\\040space tmpfs rw 0 0\n"
        "/dev/sda /state-of-somebody ext4 rw 0 0\n"
        "/dev/sda / ext4 rw 0 0\n"
    )
    assert containers.mounts_below((Path("/state"), Path("/run/gyre-containerd")), table) == [
        "/state/kubelet/pods/a/volumes/token",
        "/run/gyre-containerd/task/1/rootfs",
        "/state/kubelet/pods/with space",
    ]


def _noted(folder: Path, pid: int, born: int) -> daemons.Daemon:
    pid_file = folder / "etcd.pid"
    pid_file.write_text(json.dumps({"pid": pid, "born": born, "orders": ""}))
    return daemons.Daemon("etcd", ("etcd",), pid_file, folder / "etcd.log")


def test_a_process_is_known_by_pid_and_start(tmp_path: Path):
    born = daemons.born(os.getpid())
    assert born is not None
    running = _noted(tmp_path, os.getpid(), born).running()
    assert running is not None
    assert running.pid == os.getpid()


def test_a_pid_that_the_kernel_gave_to_another_is_left_alone(tmp_path: Path):
    born = daemons.born(os.getpid())
    assert born is not None
    other = _noted(tmp_path, os.getpid(), born - 1)
    assert other.running() is None
    other.stop()  # would end this very test


def test_a_changed_configuration_is_another_order(tmp_path: Path):
    file = tmp_path / "kubelet.json"
    daemon = daemons.Daemon("kubelet", ("kubelet",), tmp_path / "kubelet.pid", tmp_path / "kubelet.log", file)
    file.write_text("{}")
    before = daemon.orders()
    file.write_text('{"maxPods": 5}')
    assert daemon.orders() != before


def test_a_process_without_pid_file_is_ours_only_by_program_and_folder():
    state = Path("/state")
    assert daemons.runs_on(["/bin/etcd", "--data-dir=/state/etcd"], "/bin/etcd", state)
    assert not daemons.runs_on(["/bin/etcd", "--data-dir=/state-of-others/etcd"], "/bin/etcd", state)
    assert not daemons.runs_on(["/usr/bin/tail", "/state/logs/etcd.log"], "/bin/etcd", state)


def test_a_torn_pid_file_is_no_process(tmp_path: Path):
    daemon = _noted(tmp_path, 1, 1)
    daemon.pid_file.write_text('{"pid": 1')
    assert daemon.running() is None


def _step(name: str, *needs: str) -> Step:
    return Step(name, str, needs)


def test_steps_that_need_nothing_of_each_other_begin_at_once():
    steps = [_step("packages"), _step("programs"), _step("node", "packages", "programs")]
    assert [step.name for step in ready(steps, set(), set())] == ["packages", "programs"]


def test_a_step_waits_for_all_that_it_needs():
    steps = [_step("packages"), _step("programs"), _step("node", "packages", "programs")]
    begun = {"packages", "programs"}
    assert ready(steps, begun, {"packages"}) == []
    assert [step.name for step in ready(steps, begun, begun)] == ["node"]


def test_a_need_that_no_step_serves_is_found():
    assert unknown_needs([_step("node", "packages")]) == {"packages"}


def test_an_image_that_lost_its_name_to_a_newer_build_is_dropped():
    listing = (
        "REF TYPE DIGEST SIZE PLATFORMS LABELS\n"
        "localhost/gyre-workload:dev application/x sha256:new 1 MiB linux/amd64 a=b\n"
        "sha256:c0ffee application/x sha256:new 1 MiB linux/amd64 a=b\n"
        "sha256:decade application/x sha256:old 1 MiB linux/amd64 a=b\n"
    )
    assert containers.superseded(listing) == ["sha256:decade"]
