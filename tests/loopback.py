"""A server on loopback that looks like a hub and like a host of files, and fails as such servers do."""

import hashlib
import json
import re
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

TREE = re.compile(r"/api/models/(?P<repository>.+)/tree/(?P<commit>[^/]+)")
RESOLVE = re.compile(r"/(?P<repository>.+)/resolve/(?P<commit>[^/]+)/(?P<name>.+)")
CUT = 100_000
"""Bytes of a file that are sent before a connection is cut."""


class Handler(BaseHTTPRequestHandler):
    """Answers for the folder, the commit and the faults of its server."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append((self.command, path, self.headers.get("Range")))
        self.server.encodings.append(self.headers.get("Accept-Encoding"))
        if match := TREE.fullmatch(path):
            self.tree(match)
        elif match := RESOLVE.fullmatch(path):
            self.model_file(match)
        elif (file := self.server.folder / path.lstrip("/")).is_file():
            self.content(file.read_bytes(), {})
        else:
            self.refuse(404, "EntryNotFound")

    def tree(self, match):
        if match["repository"] != self.server.repository:
            return self.refuse(404, "RepoNotFound")
        if match["commit"] != self.server.commit:
            return self.refuse(404, "RevisionNotFound")
        entries = []
        for path in sorted(one for one in self.server.folder.iterdir() if one.is_file()):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            entry = {"type": "file", "path": path.name, "size": path.stat().st_size, "oid": digest[:40]}
            if path.suffix in (".safetensors", ".bin"):
                entry["lfs"] = {"oid": digest, "size": entry["size"], "pointerSize": 130}
            entries.append(entry)
        body = json.dumps(entries).encode()
        return self.answer(200, {"Content-Type": "application/json"}, body)

    def model_file(self, match):
        if self.server.token and self.headers.get("Authorization") != f"Bearer {self.server.token}":
            return self.refuse(403, "GatedRepo")
        path = self.server.folder / match["name"]
        if match["commit"] != self.server.commit or not path.is_file():
            return self.refuse(404, "EntryNotFound")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        named = {"X-Repo-Commit": match["commit"], "ETag": f'"{digest}"', "X-Linked-Etag": f'"{digest}"'}
        return self.content(path.read_bytes(), {**named, "X-Linked-Size": str(path.stat().st_size)})

    def content(self, body, headers):
        """Send bytes, from where the request asks; hang, cut or refuse where the server has that fault left."""
        if self.command == "GET" and self.server.faults:
            fault = self.server.faults.pop(0)
            if fault == "hang":
                time.sleep(self.server.patience)
                self.close_connection = True
                return
            if fault == "busy":
                self.refuse(503, "")
                return
            if fault == "cut":
                self.headers_of(200, {**headers, "Content-Length": str(len(body))})
                self.wfile.write(body[:CUT])
                self.close_connection = True
                return
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        begin = int(asked[1]) if asked else 0
        if asked and begin >= len(body):
            self.answer(416, {"Content-Range": f"bytes */{len(body)}"}, b"")
        elif asked:
            end = int(asked[2] or len(body) - 1)
            place = {"Content-Range": f"bytes {begin}-{end}/{len(body)}"}
            self.answer(206, {**headers, **place}, body[begin : end + 1])
        else:
            self.answer(200, headers, body)

    def refuse(self, status, code):
        self.answer(status, {"X-Error-Code": code, "X-Error-Message": code}, b"")

    def headers_of(self, status, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def answer(self, status, headers, body):
        self.headers_of(status, {**headers, "Content-Length": str(len(body)), "Accept-Ranges": "bytes"})
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def serving(folder, repository="someone/model", commit="0123456789" * 4, token="", faults=(), patience=3.0):
    """Serve a folder, as files and as the model `repository` at `commit`; give the server, with its `url`.

    `faults` are what the next requests for a file meet: 'hang', 'busy' (503) or 'cut'. `asked` lists the requests,
    `encodings` what they accept.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.folder, server.repository, server.commit, server.token = Path(folder), repository, commit, token
    server.faults, server.patience, server.asked, server.encodings = list(faults), patience, [], []
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
