"""Milestone 1, a blocking server: one client after the other, and whatever a read returns
is a request.

    python3 step-1.py 8686
"""

import socket
import sys

REPLY = b"Hello from server!\n"

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    stream, _ = listener.accept()
    with stream:
        while stream.recv(1024):  # nothing: the client has ended
            stream.sendall(REPLY)
