"""Whose fault it is: lost nodes are retried for ever, the user's code never."""

import pytest

from gyre_train.faults import MESSAGE_LIMIT, LeavingNode, Parked, RestoreFailed, classify, shorten


def of_ray(name: str) -> Exception:
    return type(name, (Exception,), {"__module__": "ray.exceptions"})("the actor died")


PEER = RuntimeError("[./gloo/transport/tcp/pair.cc:525] Read error [127.0.0.1]:53685: Connection reset by peer")
NCCL = type("DistBackendError", (RuntimeError,), {})("NCCL error: remote process exited")
TRACEBACK = """Traceback (most recent call last):
  File "/gyre/code/train.py", line 12, in train
    raise ValueError("no such column")
ValueError: no such column"""


@pytest.mark.parametrize(
    ("failures", "kind"),
    [
        ({0: ValueError("no")}, "User"),
        ({1: ValueError("no"), 0: PEER}, "User"),  # the peer misses the one whose code failed
        ({0: PEER}, "WorkerLost"),  # seen before Ray knows that the node is gone
        ({0: NCCL}, "WorkerLost"),
        ({0: PEER, 1: of_ray("ActorDiedError")}, "WorkerLost"),
        ({0: ValueError("cannot go on without my peer"), 1: of_ray("ActorDiedError")}, "WorkerLost"),
        ({0: ConnectionResetError("Connection reset by peer")}, "User"),  # the user's own connection
        ({0: LeavingNode("x"), 1: LeavingNode("x")}, "Preempted"),
        ({0: Parked("p1"), 1: PEER}, "Parked"),
        ({0: RestoreFailed("c", "cut off"), 1: PEER}, "RestoreFailed"),
        ({0: SystemExit(1)}, "User"),
        ({}, "Framework"),
    ],
)
def test_the_fault_is_found(failures, kind):
    assert classify(failures).kind == kind


def test_the_message_of_a_users_error_names_file_and_line():
    fault = classify({0: PEER, 1: ValueError("no such column")}, "[Rank 1 Error Snippet]:\n" + TRACEBACK)
    assert 'File "/gyre/code/train.py", line 12' in fault.message
    assert fault.message.endswith("ValueError: no such column")
    assert fault.rank == 1


def test_our_own_frames_say_nothing_to_the_author_of_a_script():
    ours = """  File "/opt/gyre/gyre_train/session.py", line 67, in on_worker
    return train(config)
"""
    text = "Training failed due to worker errors:\n[Rank 0,1 Error Snippet]:\n" + TRACEBACK.replace(
        "  File", ours + "  File", 1
    )
    assert classify({0: ValueError("no such column")}, text).message == TRACEBACK.partition("\n")[2].strip()


def test_an_error_inside_our_own_loop_keeps_its_frames():
    text = TRACEBACK.replace("/gyre/code/train.py", "/opt/gyre/gyre_train/tabular.py")
    assert "tabular.py" in classify({0: ValueError("no such column")}, text).message


OUT_OF_MEMORY = (
    """A worker health check failed.
Worker info: rank 1
ray.exceptions.OutOfMemoryError: 2 worker(s) were killed due to the node running low on memory.
"""
    + "To adjust the kill threshold, set an environment variable. " * 40
)


def test_memory_that_ran_out_is_said_even_where_rays_advice_is_long():
    """Seen on the cluster: the advice was kept and the cause cut off, so a job out of memory was retried as a lost node."""
    error = type("WorkerHealthCheckFailedError", (Exception,), {"__module__": "ray.train"})(OUT_OF_MEMORY)
    fault = classify({0: PEER, 1: error})
    assert fault.kind == "WorkerLost"
    assert fault.rank == 1
    assert "OutOfMemoryError: 2 worker(s) were killed" in fault.message
    assert len(shorten(fault.message, 500)) <= 500
    assert "OutOfMemoryError" in shorten(fault.message, 500)


def test_a_long_traceback_keeps_its_end():
    text = "\n".join(f"line {number}" for number in range(1_000))
    assert shorten(text).endswith("line 999")
    assert len(shorten(text)) <= MESSAGE_LIMIT
    assert shorten("x" * 5_000) == "x" * MESSAGE_LIMIT
