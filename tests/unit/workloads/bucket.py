"""A folder behind the few requests of S3 that reading takes: list, size, content."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit


class Store(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, folder: Path, *given: object) -> None:
        self.folder = folder
        super().__init__(*given)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        if "list-type" in query:
            return self.answer(200, self.listing(query.get("prefix", [""])[0]))
        file = self.folder / url.path.split("/", 2)[2]
        return self.answer(200, file.read_bytes()) if file.is_file() else self.answer(404, b"")

    do_HEAD = do_GET

    def listing(self, prefix: str) -> bytes:
        found = [file for file in sorted(self.folder.rglob("*")) if file.is_file()]
        keys = [(file.relative_to(self.folder).as_posix(), file.stat().st_size) for file in found]
        entries = "".join(
            f"<Contents><Key>{key}</Key><Size>{size}</Size></Contents>" for key, size in keys if key.startswith(prefix)
        )
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>".encode()

    def answer(self, status: int, content: bytes) -> None:
        first, last = 0, len(content) - 1
        if asked := self.headers.get("range", "").removeprefix("bytes="):
            first, last = int(asked.split("-")[0]), min(last, int(asked.split("-")[1] or last))
        self.send_response(206 if asked and status == 200 else status)
        if asked:
            self.send_header("content-range", f"bytes {first}-{last}/{len(content)}")
        self.send_header("content-length", str(last + 1 - first))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content[first : last + 1])

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of a store whose every bucket is `folder`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Store, folder))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
