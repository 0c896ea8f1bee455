"""An object store on this machine, in this process: moto's S3, which can be stopped, started again, and slowed down.

It stands in for S3 in tests and benchmarks; what it holds is in memory. It needs `pip install 'moto[server]'`.
"""

from __future__ import annotations

import threading
import time
import urllib.request
from collections.abc import Callable, Iterable
from typing import Any

KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
"""To be set in the environment of what reads from it."""


class LocalS3:
    """A server on a free port of the loopback.

    Attributes:
        delay: Seconds that each request waits, as of a store far away.
        requests: How many there were.
    """

    def __init__(self, bucket: str = "photos") -> None:
        from moto.server import DomainDispatcherApplication, create_backend_app

        self.delay, self.requests = 0.0, 0
        self._app: Any = DomainDispatcherApplication(create_backend_app)
        self._server: Any = None
        self.port = 0
        self.start()
        for path, method in (("moto-api/reset", "POST"), (bucket, "PUT")):  # what it holds belongs to the process
            urllib.request.urlopen(urllib.request.Request(f"{self.address}/{path}", method=method)).read()

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def options(self) -> dict[str, str]:
        """Lance's options for it."""
        return {"aws_endpoint": self.address, "allow_http": "true", "aws_region": "us-east-1"}

    def start(self) -> None:
        """Listen, at the port of before."""
        from werkzeug.serving import WSGIRequestHandler, make_server

        class Quiet(WSGIRequestHandler):
            protocol_version = "HTTP/1.1"

            def log(self, *said: Any) -> None:
                """Say nothing."""

        self._server = make_server("127.0.0.1", self.port, self._answer, threaded=True, request_handler=Quiet)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        """Refuse connections; what is held stays."""
        self._server.shutdown()
        self._server.server_close()

    def stop_for(self, seconds: float) -> None:
        """Stop now and start again later, from a thread."""
        self.stop()
        threading.Timer(seconds, self.start).start()

    def _answer(self, environ: dict[str, Any], respond: Callable[..., Any]) -> Iterable[bytes]:
        self.requests += 1
        time.sleep(self.delay)
        found: Iterable[bytes] = self._app(environ, respond)
        return found
