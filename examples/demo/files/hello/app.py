"""A web page that says hello: python3 app.py"""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = 8000


def greeting(name: str) -> str:
    word = os.environ.get("GREETING", "Hello")
    return f"{word}, {name}!\n"


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = greeting(self.path.strip("/") or "world").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("", PORT), Page).serve_forever()
