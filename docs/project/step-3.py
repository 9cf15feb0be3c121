"""Milestone 3, goodbyes: what befalls a connection ends that connection only.

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
    """What is said on one connection. It knows no socket."""

    def __init__(self):
        self.unfinished = 0  # bytes that have come since the last LF
        self.pending = bytearray()  # replies that are not sent
        self.is_refused = False  # a request was too long: no more are taken

    def receive(self, data):
        if self.is_refused:
            return
        for piece in io.BytesIO(data):  # cut after each LF
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
            # To close with bytes unread would reset the connection, and the last reply could be
            # lost: end the sending half, and read until the client ends, too.
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
            pass  # the client has gone, and that concerns nobody else
