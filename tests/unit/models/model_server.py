"""A stand-in for vLLM as a child process: `model_server.py PORT FOLDER BEHAVIOUR [flags…]`.

It adds a line with its process id to FOLDER/starts and starts a grandchild, as vLLM does. Behaviour: `good` answers;
`crash` ends at once with an error on standard error; `deaf` answers and ignores SIGTERM.
"""

import json
import os
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"data": [{"id": "m"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


port, folder, behaviour = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
with (folder / "starts").open("a") as file:
    file.write(f"{os.getpid()} {os.nice(0)}\n")
if behaviour == "crash":
    sys.stderr.write("loading\nValueError: the weights are not to my taste\n")
    raise SystemExit(3)
if behaviour == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = subprocess.Popen(["sleep", "300"])
(folder / "grandchild").write_text(str(grandchild.pid))
HTTPServer(("127.0.0.1", port), Handler).serve_forever()
