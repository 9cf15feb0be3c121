"""Python's selectors: the loop of poll-server, written by hand in an interpreted language
(`DefaultSelector` is epoll on Linux, kqueue on macOS and the BSDs).

Left out: idle time-outs, the console, the counters, and a stop that sends the pending replies:
SIGINT and SIGTERM just end it.

    python3 python_selectors.py 8686
"""

import errno
import resource
import selectors
import socket
import sys

REQUEST_MAX = 1024
REPLY = b"Hello from server!\n"
TOO_LONG = b"Request too long!\n"
READ_MAX = 4096
BACKLOG = 1024  # as in the servers of the workspace


class Connection:
    def __init__(self, stream):
        self.stream = stream
        self.unfinished = 0  # bytes of a request whose end has not come yet
        self.pending = b""
        self.is_lingering = False  # a request was too long: discard what still comes
        self.has_ended = False  # the client has ended: send what is pending, and close
        self.is_over = False

    def interest(self):
        # While a client doesn't read its replies, don't read from it either.
        return selectors.EVENT_WRITE if self.pending else selectors.EVENT_READ

    def ready(self):
        try:
            if not self.pending:
                self.read()
            if self.pending:
                self.pending = self.pending[self.stream.send(self.pending) :]
                if not self.pending and self.is_lingering:
                    self.stream.shutdown(socket.SHUT_WR)
            self.is_over = self.has_ended and not self.pending
        except BlockingIOError:
            pass  # not ready after all
        except OSError:
            self.is_over = True

    def read(self):
        data = self.stream.recv(READ_MAX)
        if not data:
            self.has_ended = True
            if self.unfinished and not self.is_lingering:
                self.pending = REPLY
        elif not self.is_lingering:
            self.take(data)

    def take(self, data):
        *lines, rest = data.split(b"\n")
        replies = []
        for line in lines:
            if self.unfinished + len(line) + 1 > REQUEST_MAX:
                return self.refuse(replies)
            self.unfinished = 0
            replies.append(REPLY)
        self.unfinished += len(rest)
        if self.unfinished > REQUEST_MAX:
            return self.refuse(replies)
        self.pending = b"".join(replies)

    def refuse(self, replies):
        # Closing with unread bytes would reset the connection, and this line could be lost.
        self.is_lingering = True
        self.pending = b"".join(replies) + TOO_LONG


class Server:
    def __init__(self, port):
        self.selector = selectors.DefaultSelector()
        self.listener = socket.create_server(("127.0.0.1", port), backlog=BACKLOG)
        self.listener.setblocking(False)
        self.resume_accepting()

    def resume_accepting(self):
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.is_accepting = True

    def serve(self):
        while True:
            for key, _ in self.selector.select():
                if key.data:
                    self.connection_ready(key.data)
                else:
                    self.accept_ready()

    def accept_ready(self):
        try:
            stream, _ = self.listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # the client has already closed
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            # No descriptor is left: clients stay in the backlog until a connection closes.
            self.selector.unregister(self.listener)
            self.is_accepting = False
            return
        stream.setblocking(False)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.selector.register(stream, selectors.EVENT_READ, Connection(stream))

    def connection_ready(self, connection):
        interest = connection.interest()
        connection.ready()
        if connection.is_over:
            self.selector.unregister(connection.stream)
            connection.stream.close()
            if not self.is_accepting:
                self.resume_accepting()
        elif connection.interest() != interest:
            self.selector.modify(connection.stream, connection.interest(), connection)


_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
Server(int(sys.argv[1])).serve()
