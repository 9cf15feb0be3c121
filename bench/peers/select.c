/* A bare loop on select(2): the yardstick for select-server.
 *
 * Two sets say who is to be watched; select(2) overwrites what it is given, so each turn gives it
 * copies, and then looks through them for those who are ready. A set has room for descriptors
 * below FD_SETSIZE only, so there are never more than that: the limit of descriptors is lowered,
 * and clients beyond it wait in the backlog.
 *
 * Left out: idle time-outs, the console, the counters, and a stop that sends what is owed:
 * SIGINT and SIGTERM simply end it. Memory that runs out ends it, too.
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
        /* No descriptor is left: clients stay in the backlog until a connection closes. As the
         * listener stays readable, the loop would spin if it went on watching it. */
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
        bool somebody_knocks = left > 0 && FD_ISSET(listener, &ready_to_read);
        left -= somebody_knocks;
        for (int socket = listener + 1; left > 0; socket++) {
            if (FD_ISSET(socket, &ready_to_read) || FD_ISSET(socket, &ready_to_write)) {
                left--;
                connection_ready(connections[socket]);
            }
        }
        /* New clients come last: one may get the number of a socket closed in this turn. */
        if (somebody_knocks)
            accept_ready();
    }
}
