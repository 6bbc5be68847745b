"""uvloop does not exist everywhere: plain asyncio serves the same, only more slowly."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from websockets.sync.client import connect
from websockets.sync.server import serve

from tests.e2e.programs import Labgate
from tests.e2e.test_workers import BODY, answered, echo, echoes

HIDING = """\
import sys
sys.modules["uvloop"] = None
from proxy.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


class Plain(Labgate):
    """labgate where uvloop cannot be imported."""

    def command(self) -> list[str]:
        _, _, _, *arguments = super().command()
        return [sys.executable, "-c", HIDING, *arguments]


def test_plain_asyncio_serves(tmp_path: Path) -> None:
    with serve(echo, "127.0.0.1", 0, process_request=answered) as behind:
        thread = threading.Thread(target=behind.serve_forever)
        thread.start()
        upstream = f"http://127.0.0.1:{behind.socket.getsockname()[1]}"
        open_to_all = {"LABGATE_SITE__WEBSOCKET_WITHOUT_ORIGIN": "true"}
        arguments = ("--upstream", upstream, "--bind", "127.0.0.1")
        with Plain(tmp_path, "serve", *arguments, environment=open_to_all) as labgate:
            loaded = Path(f"/proc/{labgate.pid}/maps").read_text()
            assert "uvloop" not in loaded
            assert labgate.ask("GET", "/").body == BODY.encode()
            address = f"wss://localhost:{labgate.https_port}/echo"
            with connect(address, ssl=labgate.trusting_threads, proxy=None) as socket:
                assert echoes(socket)
            assert labgate.stop() == 0
            assert "Traceback" not in labgate.log
        behind.shutdown()
        thread.join()
