"""Milestone 5, backpressure: keep what does not fit, and stop reading from non-reading clients.

    python3 step-5.py 8686
"""

import io
import selectors
import socket
import sys

REQUEST_MAX = 1024
REPLY = b"Hello from server!\n"
TOO_LONG = b"Request too long!\n"
READ_MAX = 4096


class Conversation:
    """The protocol on one connection. It knows nothing about sockets."""

    def __init__(self):
        self.unfinished = 0  # bytes received since the last LF
        self.pending = bytearray()  # replies that are not sent yet
        self.is_refused = False  # a request was too long: no more are accepted
        self.has_ended = False  # the client has closed its sending half

    def receive(self, data):
        if self.is_refused:
            return
        for piece in io.BytesIO(data):  # split after each LF
            self.unfinished += len(piece)
            if self.unfinished > REQUEST_MAX:
                self.is_refused = True
                self.pending += TOO_LONG
                return
            if piece.endswith(b"\n"):
                self.unfinished = 0
                self.pending += REPLY

    def receive_end(self):
        self.has_ended = True
        if self.unfinished and not self.is_refused:
            self.pending += REPLY


class Connection:
    """A non-blocking socket and its conversation."""

    def __init__(self, stream):
        stream.setblocking(False)
        self.stream = stream
        self.conversation = Conversation()
        self.is_over = False

    def interest(self):
        # A client that does not read its replies is not read from, either.
        return selectors.EVENT_WRITE if self.conversation.pending else selectors.EVENT_READ

    def ready(self):
        """Does what can be done without waiting, and no more: the rest of a request may never
        come."""
        try:
            if not self.conversation.pending:
                self.read()
            if self.conversation.pending:
                self.write()
            self.is_over = self.conversation.has_ended and not self.conversation.pending
        except BlockingIOError:
            pass  # not ready, or not any more: the selector will report it
        except OSError:
            self.is_over = True  # the client has gone, which affects no other

    def read(self):
        if data := self.stream.recv(READ_MAX):
            self.conversation.receive(data)
        else:
            self.conversation.receive_end()

    def write(self):
        sent = self.stream.send(self.conversation.pending)
        del self.conversation.pending[:sent]
        if self.conversation.is_refused and not self.conversation.pending:
            # Closing with unread bytes would reset the connection, and the last reply could be
            # lost: close the sending half, and read until the client ends, too.
            self.stream.shutdown(socket.SHUT_WR)


class Server:
    def __init__(self, port):
        self.listener = socket.create_server(("127.0.0.1", port))
        self.listener.setblocking(False)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)

    def turn(self):
        for key, _ in self.selector.select():
            if key.fileobj is self.listener:
                self.accept_ready()
            else:
                self.connection_ready(key.data)

    def accept_ready(self):
        try:
            stream, _ = self.listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # the client has gone already
        self.selector.register(stream, selectors.EVENT_READ, Connection(stream))

    def connection_ready(self, connection):
        connection.ready()
        if connection.is_over:
            self.close(connection)
        else:
            self.selector.modify(connection.stream, connection.interest(), connection)

    def close(self, connection):
        self.selector.unregister(connection.stream)
        connection.stream.close()


server = Server(int(sys.argv[1]))
while True:
    server.turn()
