"""Progress reaches the operator, and the lack of one never reaches the run."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from gyre_train.contract import Command
from gyre_train.progress import ConfigMap, Folder, Pusher, head_from, sink_from


class ApiServer(HTTPServer):
    """The two calls that the driver makes, with answers to be chosen."""

    def __init__(self):
        self.status, self.command, self.requests, self.asked = 200, None, [], []
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_PATCH(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers), json.loads(body)))
        data = json.loads(body)["data"] | ({"command.json": self.server.command} if self.server.command else {})
        self.answer(data)

    def do_GET(self):
        self.server.asked.append(self.path)
        self.answer({"progress.json": "{}"} | ({"command.json": self.server.command} if self.server.command else {}))

    def answer(self, data):
        answer = json.dumps({"kind": "ConfigMap", "data": data}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = ApiServer()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def account(tmp_path):
    (tmp_path / "token").write_text("first\n")
    return tmp_path


def until(condition, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.005)


def test_one_key_of_one_configmap_is_patched_with_the_newest_token(server, account):
    sink = ConfigMap(server.url, "team-a", "flights-run", account)
    sink.push('{"step": 1}')
    (account / "token").write_text("rotated")
    sink.push('{"step": 2}')
    (path, headers, body), (_, later, _) = server.requests
    assert path == "/api/v1/namespaces/team-a/configmaps/flights-run?fieldManager=gyre-driver"
    assert headers["Content-Type"] == "application/merge-patch+json"
    assert body == {"data": {"progress.json": '{"step": 1}'}}
    assert (headers["Authorization"], later["Authorization"]) == ("Bearer first", "Bearer rotated")


def test_the_answer_carries_the_command(server, account):
    server.command = '{"park": {"id": "p1"}}'
    assert ConfigMap(server.url, "a", "b", account).push("{}") == Command(park="p1")


def test_a_command_is_asked_for_without_a_write_and_from_no_cache(server, account):
    server.command = '{"drain": {"id": "d1"}}'
    assert ConfigMap(server.url, "a", "b", account).ask() == Command(drain="d1")
    assert (server.asked, server.requests) == (["/api/v1/namespaces/a/configmaps/b"], [])


class Diary:
    """A sink that writes down how it was used."""

    def __init__(self):
        self.used, self.away = [], False

    def push(self, progress):
        self.used.append("push")
        if self.away:
            raise OSError("away")
        return Command()

    def ask(self):
        self.used.append("ask")
        if self.away:
            raise OSError("away")
        return Command()


def turns(pusher, number):
    """What happens in the next half periods."""
    pusher._sink.used = []
    for _ in range(number):
        pusher._heard(pusher._turn)
    return " ".join(pusher._sink.used)


def test_what_is_new_is_pushed_every_period_and_commands_are_asked_for_in_between():
    step = iter(range(100))
    pusher = Pusher(Diary(), lambda: {"step": next(step)}, lambda _: None, every=60)
    assert turns(pusher, 6) == "push ask push ask push ask"


def test_a_run_without_news_is_a_sign_of_life_every_other_period():
    beat = iter(range(100))
    pusher = Pusher(Diary(), lambda: {"step": 7, "heartbeat": next(beat)}, lambda _: None, every=60)
    assert turns(pusher, 9) == "push ask ask ask push ask ask ask push"
    pusher.soon()
    assert turns(pusher, 2) == "push ask"


def test_after_a_failure_of_either_kind_the_newest_progress_is_pushed():
    pusher = Pusher(Diary(), lambda: {"step": 7}, lambda _: None, every=60)
    assert turns(pusher, 2) == "push ask"
    pusher._sink.away = True
    assert turns(pusher, 3) == "ask push push"
    pusher._sink.away = False
    assert turns(pusher, 2) == "push ask"


def test_a_refusal_is_an_error_that_does_not_tell_the_token(server, account):
    server.status = 403
    with pytest.raises(OSError, match="HTTP 403") as refused:
        ConfigMap(server.url, "a", "b", account).push("{}")
    assert "first" not in str(refused.value)


def test_news_are_pushed_at_once_and_a_command_is_obeyed_once(server, account):
    obeyed, step = [], [0]
    pusher = Pusher(ConfigMap(server.url, "a", "b", account), lambda: {"step": step[0]}, obeyed.append, every=60)
    pusher.start()
    until(lambda: len(server.requests) == 1)
    server.command, step[0] = '{"park": {"id": "p1"}}', 7
    pusher.soon()
    until(lambda: obeyed == [Command(park="p1")])
    pusher.soon()
    until(lambda: len(server.requests) == 3)
    assert obeyed == [Command(park="p1")]
    assert pusher.close(within=1)
    assert json.loads(server.requests[-1][2]["data"]["progress.json"]) == {"step": 7}


def test_an_api_server_that_is_away_only_delays_the_newest_progress(server, account):
    server.status, step = 500, [0]
    pusher = Pusher(
        ConfigMap(server.url, "a", "b", account), lambda: {"step": step[0]}, lambda _: None, every=60, retry=(0.01,)
    )
    pusher.start()
    until(lambda: len(server.requests) >= 3)
    step[0], server.status = 9, 200
    assert pusher.close(within=2)
    assert json.loads(server.requests[-1][2]["data"]["progress.json"]) == {"step": 9}


def test_the_last_word_is_given_up_in_time_when_nobody_answers(account):
    pusher = Pusher(ConfigMap("http://127.0.0.1:9", "a", "b", account), dict, lambda _: None, every=60, retry=(0.01,))
    pusher.start()
    assert not pusher.close(within=0.1)


def test_neither_a_snapshot_that_fails_nor_an_unruly_command_ends_the_thread(tmp_path):
    (tmp_path / "command.json").write_text('{"drain": {"id": "d"}}')
    calls = []

    def snapshot():
        calls.append(1)
        if len(calls) == 1:
            raise KeyError("not yet")
        return {"step": len(calls)}

    def obey(command):
        raise RuntimeError(command)

    pusher = Pusher(Folder(tmp_path), snapshot, obey, every=0.01, retry=(0.01,))
    pusher.start()
    until(lambda: len(calls) > 3)
    assert pusher.close(within=1)
    assert json.loads((tmp_path / "progress.json").read_text())["step"] > 2


def test_without_a_cluster_progress_is_a_file(tmp_path):
    sink = sink_from({}, tmp_path / "run")
    assert sink.push('{"step": 1}') == Command()
    assert (tmp_path / "run" / "progress.json").read_text() == '{"step": 1}'


def test_the_operators_environment_names_the_configmap(tmp_path):
    sink = sink_from({"GYRE_CONFIGMAP": "j-run", "GYRE_NAMESPACE": "a", "KUBERNETES_SERVICE_HOST": "fd00::1"}, tmp_path)
    assert isinstance(sink, ConfigMap)
    assert sink._url == "https://[fd00::1]:443/api/v1/namespaces/a/configmaps/j-run"


def test_the_head_names_itself():
    assert head_from({"GYRE_POD_NAME": "p", "GYRE_POD_UID": "u"}) == {"pod": "p", "uid": "u"}
