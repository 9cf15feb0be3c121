"""Milestone 6, limits and stopping: clients wait for descriptors, and Ctrl-C ends it cleanly.

Left out: time-outs for idle clients; and at the end it closes sockets with unread bytes, so that a
reset may cost a client its last reply.

    python3 step-6.py 8686
"""

import errno
import io
import resource
import selectors
import signal
import socket
import sys
import time

REQUEST_MAX = 1024
REPLY = b"Hello from server!\n"
TOO_LONG = b"Request too long!\n"
READ_MAX = 4096
BACKLOG = 1024
TRY_AGAIN = 0.5  # seconds, when there are no descriptors
STOP_GRACE = 0.5  # seconds


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


def readable_on_signals():
    """A socket that becomes readable on Ctrl-C: an exception could come in the middle of
    anything, and a flag would not end the sleep."""
    wake_up, waker = socket.socketpair()
    waker.setblocking(False)
    signal.set_wakeup_fd(waker.detach())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    return wake_up


class Server:
    def __init__(self, port):
        self.listener = socket.create_server(("127.0.0.1", port), backlog=BACKLOG)
        self.listener.setblocking(False)
        self.stop = readable_on_signals()
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.stop, selectors.EVENT_READ)
        self.is_stopping = False
        self.resume_accepting()

    def resume_accepting(self):
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.is_accepting = True

    def pause_accepting(self):
        self.selector.unregister(self.listener)
        self.is_accepting = False

    def serve(self):
        while not self.is_stopping:
            self.turn()
        self.finish()

    def turn(self):
        events = self.selector.select(None if self.is_accepting else TRY_AGAIN)
        for key, _ in events:
            if key.fileobj is self.listener:
                self.accept_ready()
            elif key.fileobj is self.stop:
                self.is_stopping = True
            else:
                self.connection_ready(key.data)
        if not events and not self.is_accepting:
            self.resume_accepting()  # another process may have freed a descriptor

    def accept_ready(self):
        try:
            stream, _ = self.listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # the client has gone already
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            # No descriptor is left. The client stays in the accept queue, so the listener stays
            # readable: to go on watching it would spin.
            self.pause_accepting()
            return
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
        if not self.is_accepting and not self.is_stopping:
            self.resume_accepting()

    def finish(self):
        """Sends what is owed, for as long as STOP_GRACE, and takes nothing more."""
        give_up = time.monotonic() + STOP_GRACE
        self.selector.unregister(self.stop)
        if self.is_accepting:
            self.pause_accepting()
        for key in list(self.selector.get_map().values()):
            if not key.data.conversation.pending:
                self.close(key.data)
        while self.selector.get_map() and time.monotonic() < give_up:
            for key, _ in self.selector.select(give_up - time.monotonic()):
                key.data.ready()
                if key.data.is_over or not key.data.conversation.pending:
                    self.close(key.data)


# A descriptor for each client: most systems allow far more than they hand out unasked.
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
Server(int(sys.argv[1])).serve()
