"""A loopback web server, and tiny data sets to serve or to lay into folders."""

import gzip
import hashlib
import http.server
import socket
import threading
from contextlib import closing

import numpy as np
import pytest

from minivae.data import download, sources


def _idx_bytes(array):
    """The bytes of an IDX file that holds a uint8 array."""
    header = bytes([0, 0, 0x08, array.ndim])
    return header + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


@pytest.fixture
def idx_bytes():
    return _idx_bytes


class Tiny:
    """Ten training and ten test images of 2x3 pixels, one of each class, as four IDX files."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.arrays = {
            "x_train": rng.integers(0, 256, (10, 2, 3), dtype=np.uint8),
            "y_train": rng.permutation(10).astype(np.uint8),
            "x_test": rng.integers(0, 256, (10, 2, 3), dtype=np.uint8),
            "y_test": rng.permutation(10).astype(np.uint8),
        }
        self.content = {part: _idx_bytes(array) for part, array in self.arrays.items()}
        self.gz = {part: gzip.compress(data, mtime=0) for part, data in self.content.items()}

    def source(self, name, mirrors, *, sums_of_gz=False):
        files = self.gz if sums_of_gz else self.content
        return sources.Source(
            name=name,
            what="ten small images",
            mirrors=tuple(mirrors),
            sha256={part: hashlib.sha256(data).hexdigest() for part, data in files.items()},
            sums_of_gz=sums_of_gz,
            labels=tuple("0123456789"),
            n_train=10,
            n_test=10,
            shape=(2, 3),
        )

    def lay(self, folder, *, packed=True):
        """Write the four files into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for part, stem in sources.STEMS.items():
            if packed:
                (folder / f"{stem}.gz").write_bytes(self.gz[part])
            else:
                (folder / stem).write_bytes(self.content[part])
        return folder

    def pages(self, prefix):
        """What a mirror at `prefix` serves."""
        return {f"{prefix}{stem}.gz": self.gz[part] for part, stem in sources.STEMS.items()}


@pytest.fixture
def tiny():
    return Tiny(seed=0)


@pytest.fixture
def other_tiny():
    return Tiny(seed=1)


class Server:
    """Serves `pages` (path to bytes), cuts those in `cut` short, and notes what was asked for."""

    def __init__(self):
        self.pages, self.cut, self.asked, self.encodings = {}, set(), [], set()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                outer.encodings.add(self.headers["Accept-Encoding"])
                body = outer.pages.get(self.path)
                if body is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if self.path in outer.cut else body)

            def log_message(self, *args):
                """Keep standard error clean."""

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_address[1]}"


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.http.shutdown()
    thread.join()
    server.http.server_close()


@pytest.fixture
def nobody():
    """The address of a port at which nobody listens."""
    with closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{sock.getsockname()[1]}/"


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty cache, and no MINIVAE_DATA."""
    monkeypatch.delenv("MINIVAE_DATA", raising=False)
    folder = tmp_path / "cache"
    monkeypatch.setattr(download, "cache_folder", lambda source: folder / source.name)
    return folder
