/* A bare loop on select(2): the baseline for select-server.
 *
 * Two sets say what to watch. select(2) overwrites its arguments, so each turn passes copies, and
 * then scans them for descriptors that are ready. A set has room only for descriptors below
 * FD_SETSIZE, so there must never be more: the limit of descriptors is lowered, and further clients
 * wait in the backlog.
 *
 * Left out: idle time-outs, the console, the counters, and a stop that sends the pending replies:
 * SIGINT and SIGTERM just end it. It also ends when memory runs out.
 *
 *     cc -O2 -o select select.c && ./select 8686
 */

#include "connection.h"

#include <sys/select.h>

static int listener, highest;
static fd_set to_read, to_write;
static struct connection *connections[FD_SETSIZE];

static void accept_ready(void) {
    struct connection *connection;
    while ((connection = accept_one(listener))) {
        int socket = connection->socket;
        connections[socket] = connection;
        FD_SET(socket, &to_read);
        highest = socket > highest ? socket : highest;
    }
    if (errno == EMFILE || errno == ENFILE) {
        /* No descriptor is left: clients stay in the backlog until a connection closes. The
         * listener stays readable, so the loop would spin if it went on watching it. */
        FD_CLR(listener, &to_read);
    } else if (!is_not_now()) {
        fail("accept4");
    }
}

static void connection_ready(struct connection *connection) {
    int socket = connection->socket;
    if (wants_to_write(connection) ? writable(connection) : readable(connection)) {
        bool is_writing = wants_to_write(connection);
        FD_CLR(socket, is_writing ? &to_read : &to_write);
        FD_SET(socket, is_writing ? &to_write : &to_read);
        return;
    }
    close_connection(connection);
    connections[socket] = NULL;
    FD_CLR(socket, &to_read);
    FD_CLR(socket, &to_write);
    while (highest > listener && !connections[highest])
        highest--;
    FD_SET(listener, &to_read);
}

int main(int count, char **arguments) {
    if (count != 2) {
        fprintf(stderr, "usage: %s PORT\n", arguments[0]);
        return 2;
    }
    raise_descriptor_limit(FD_SETSIZE);
    highest = listener = listen_on(atoi(arguments[1]));
    if (listener >= FD_SETSIZE) {
        fprintf(stderr, "select(2) can't watch the listener: its descriptor is too high\n");
        return 1;
    }
    FD_SET(listener, &to_read);
    for (;;) {
        fd_set ready_to_read = to_read, ready_to_write = to_write;
        int left = select(highest + 1, &ready_to_read, &ready_to_write, NULL, NULL);
        if (left < 0 && errno != EINTR)
            fail("select");
        bool is_pending = left > 0 && FD_ISSET(listener, &ready_to_read);
        left -= is_pending;
        for (int socket = listener + 1; left > 0; socket++) {
            if (FD_ISSET(socket, &ready_to_read) || FD_ISSET(socket, &ready_to_write)) {
                left--;
                connection_ready(connections[socket]);
            }
        }
        /* New clients come last: one may get the number of a socket closed in this turn. */
        if (is_pending)
            accept_ready();
    }
}
