"""Milestone 3, clients that disappear: an error ends only its own connection.

    python3 step-3.py 8686
"""

import io
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
        if self.unfinished and not self.is_refused:
            self.pending += REPLY


def serve(stream):
    conversation = Conversation()
    while data := stream.recv(READ_MAX):
        conversation.receive(data)
        stream.sendall(conversation.pending)
        conversation.pending.clear()
        if conversation.is_refused:
            # Closing with unread bytes would reset the connection, and the last reply could be
            # lost: close the sending half, and read until the client ends, too.
            stream.shutdown(socket.SHUT_WR)
            while stream.recv(READ_MAX):
                pass
            return
    conversation.receive_end()
    stream.sendall(conversation.pending)


listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    stream, _ = listener.accept()
    with stream:
        try:
            serve(stream)
        except OSError:
            pass  # the client has gone, which affects no other
