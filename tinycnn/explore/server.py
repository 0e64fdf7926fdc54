"""The page's server: on this machine's loopback address only, for those who know the token.

It answers a page and its questions, and reads no file. A request needs the token in its path; the Host that the server goes
by, so that no other name can be made to mean this machine; and, to ask something, the Origin of the page itself.
"""
import hmac
import json
import secrets
import sys
import threading
from collections import OrderedDict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .answers import answer
from .page import page
from .session import Session

TABS = 4                # networks that are kept: one for each tab of the browser
LARGEST = 16_000_000    # bytes of a question


class TabGone(Exception):
    """The network of a tab is no longer kept."""


class Server(ThreadingHTTPServer):
    """Serves the page for `subject` at `address`; every tab has a Session of its own, the oldest makes way for a fifth."""
    daemon_threads = True

    def __init__(self, subject, port=0):
        self.subject, self.token = subject, secrets.token_urlsafe(24)
        self.tabs, self.lock = OrderedDict(), threading.Lock()
        super().__init__(("127.0.0.1", port), Handler)
        self.hosts = {f"{name}:{self.server_port}" for name in ("127.0.0.1", "localhost")}

    @property
    def address(self):
        """What to open in the browser."""
        return f"http://127.0.0.1:{self.server_port}/{self.token}/"

    def ask(self, question, told):
        """bytes: the answer to one tab's question. TabGone where that tab's network made way for others."""
        tab = str(told.get("tab"))
        with self.lock:  # one at a time: an operation's backward is broken for the whole process
            if question == "open":
                self.tabs[tab] = Session(self.subject)
                while len(self.tabs) > TABS:
                    self.tabs.popitem(last=False)
            if tab not in self.tabs:
                raise TabGone("This tab's network has made way for those of newer tabs: load the page again.")
            self.tabs.move_to_end(tab)
            return answer(self.tabs[tab], question, told)

    def handle_error(self, request, client_address):
        """Say what went wrong, unless a browser has only closed its tab before it had its answer."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One request."""
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "tinycnn", ""

    def do_GET(self):
        """The page."""
        token, _, rest = self.path[1:].partition("/")
        if self._is_let_in(token):
            found = rest == ""
            self._send(200 if found else 404, page(None) if found else "There is nothing else here than the page.",
                       "text/html" if found else "text/plain")

    def do_POST(self):
        """A question of the page."""
        token, _, question = self.path[1:].partition("/")
        if not self._is_let_in(token, asks=True):
            return
        try:
            told = json.loads(self.rfile.read(self._length()))
            if not isinstance(told, dict):
                raise ValueError("a question must be a JSON object")
            self._send(200, self.server.ask(question, told), "application/octet-stream")
        except TabGone as error:
            self._send(410, f"{error}")
        except Exception as error:  # the user's own network may raise anything; the page shows what it said
            self._send(400, f"{error}" or type(error).__name__)

    def _is_let_in(self, token, asks=False):
        """Whether the request may be answered; else it has been told why not."""
        host = self.headers.get("Host", "")
        if host not in self.server.hosts:
            self._refuse("this server goes by 127.0.0.1 and localhost only")
        elif not hmac.compare_digest(token.encode(), self.server.token.encode()):
            self._refuse("the token in the address is not that of this server: open the address that `tinycnn explore` "
                         "printed last")
        elif self.headers.get("Origin", f"http://{host}" * (not asks)) != f"http://{host}":
            self._refuse("only the page itself may ask")
        else:
            return True
        return False

    def _length(self):
        text = self.headers.get("Content-Length", "")
        if not text.isascii() or not text.isdecimal() or int(text) > LARGEST:
            self.close_connection = True
            raise ValueError(f"a question must say its length and have at most {LARGEST:,} bytes")
        return int(text)

    def _refuse(self, reason):
        self.close_connection = True
        self._send(403, f"Refused: {reason}.")

    def _send(self, status, content, kind="text/plain"):
        content = content.encode() if isinstance(content, str) else content
        self.send_response(status)
        for name, value in {"Content-Type": kind + "; charset=utf-8" * kind.startswith("text"),
                            "Content-Length": len(content), "X-Frame-Options": "DENY", "Cache-Control": "no-store",
                            "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
                            "Cross-Origin-Resource-Policy": "same-origin"}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format, *args):
        """Nothing: the token would stand in it."""
