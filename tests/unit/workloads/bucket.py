"""A folder behind the few requests of S3 that reading and writing small objects takes: list, size, content, put, delete."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit


class Store(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, folder: Path, *given: object) -> None:
        self.folder = folder
        super().__init__(*given)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        if "list-type" in query:
            return self.answer(200, self.listing(query.get("prefix", [""])[0], "delimiter" in query))
        file = self.folder / unquote(url.path).split("/", 2)[2]
        return self.answer(200, file.read_bytes()) if file.is_file() else self.answer(404, b"")

    do_HEAD = do_GET

    def do_PUT(self) -> None:
        """A whole object; an upload in parts is not known here."""
        url = urlsplit(self.path)
        content = self.content()
        if url.query or self.folder.joinpath("away").exists():
            return self.answer(501 if url.query else 403, b"")
        file = self.folder / unquote(url.path).split("/", 2)[2]
        file.parent.mkdir(parents=True, exist_ok=True)
        if not url.path.endswith("/"):
            file.write_bytes(content)
        return self.answer(200, b"")

    def do_DELETE(self) -> None:
        """One object; a folder is none, and to delete what is not there is no error."""
        file = self.folder / unquote(urlsplit(self.path).path).split("/", 2)[2]
        if file.is_file():
            file.unlink()
        return self.answer(204, b"")

    def do_POST(self) -> None:
        """Several objects deleted at once."""
        asked = self.content().decode()
        if urlsplit(self.path).query.rstrip("=") != "delete":
            return self.answer(501, b"")
        for key in re.findall("<Key>([^<]+)</Key>", asked):
            (self.folder / key).unlink(missing_ok=True)
        return self.answer(200, b"<DeleteResult></DeleteResult>")

    def content(self) -> bytes:
        """As AWS' clients send it: whole, in chunks of HTTP, and inside those in chunks of their own."""
        if self.headers.get("transfer-encoding") == "chunked":
            sent = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                sent += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            sent = self.rfile.read(int(self.headers.get("content-length", 0)))
        if "aws-chunked" not in self.headers.get("content-encoding", ""):
            return sent
        found = b""
        while size := int(sent.partition(b"\r\n")[0].split(b";")[0], 16):
            sent = sent.partition(b"\r\n")[2]
            found, sent = found + sent[:size], sent[size + 2 :]
        return found

    def listing(self, prefix: str, by_folder: bool) -> bytes:
        found = [file for file in sorted(self.folder.rglob("*")) if file.is_file()]
        keys = [(file.relative_to(self.folder).as_posix(), file.stat().st_size) for file in found]
        keys = [(key, size) for key, size in keys if key.startswith(prefix)]
        below = {prefix + key[len(prefix) :].split("/")[0] + "/" for key, _ in keys if "/" in key[len(prefix) :]}
        entries = "".join(
            f"<Contents><Key>{key}</Key><Size>{size}</Size></Contents>"
            for key, size in keys
            if not by_folder or "/" not in key[len(prefix) :]
        )
        folders = "".join(f"<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>" for name in sorted(below))
        found = f"{entries}{folders if by_folder else ''}"
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{found}</ListBucketResult>".encode()

    def answer(self, status: int, content: bytes) -> None:
        first, last = 0, len(content) - 1
        if asked := self.headers.get("range", "").removeprefix("bytes="):
            first, last = int(asked.split("-")[0]), min(last, int(asked.split("-")[1] or last))
        self.send_response(206 if asked and status == 200 else status)
        if asked:
            self.send_header("content-range", f"bytes {first}-{last}/{len(content)}")
        self.send_header("content-length", str(last + 1 - first))
        self.end_headers()
        if self.command != "HEAD":
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
