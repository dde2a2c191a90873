"""A host that shows a trusted certificate and then answers whatever a test wants, byte by byte."""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from xenweb.drivers.contract import Endpoint
from xenweb.lab.xapi import certificates

Say = Callable[[ssl.SSLSocket], None]


class Liar:
    """One listening host; each connection is told ``say``, after its request has been read."""

    def __init__(self, folder: Path, address: str, say: Say) -> None:
        path = folder / "liar.pem"
        self.pin = certificates.write(path, address)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(path)
        self._listening = socket.create_server((address, 0))
        self._say = say
        self.address, self.port = self._listening.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                plain, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with suppress(OSError), self._context.wrap_socket(plain, server_side=True) as private:
            asked = b""
            while b"</methodCall>" not in asked and b'"id": ' not in asked:
                asked += private.recv(65536)
            self._say(private)

    def close(self) -> None:
        self._listening.close()

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(1, "liar", f"xapi://root@{self.address}:{self.port}/?sha256={self.pin}", secret="never said")
