/* A bare loop on epoll(7), level-triggered: the baseline for poll-server.
 *
 * It does what the protocol requires, without blocking anywhere, and nothing else. poll-server adds
 * what a server needs to run for a long time.
 *
 * Left out: idle time-outs, the console, the counters, and a stop that sends the pending replies:
 * SIGINT and SIGTERM just end it. It also ends when memory runs out.
 *
 *     cc -O2 -o epoll epoll.c && ./epoll 8686
 */

#include "connection.h"

#include <sys/epoll.h>

/* The most events per wait; the others come in the next turn. */
#define EVENTS 1024

static int epoll, listener;
static bool is_accepting;

/* Starts watching a socket, or changes what it is watched for. */
static void watch(int operation, int socket, uint32_t events, struct connection *connection) {
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (epoll_ctl(epoll, operation, socket, &event) < 0)
        fail("epoll_ctl");
}

static void accept_ready(void) {
    struct connection *connection;
    while ((connection = accept_one(listener)))
        watch(EPOLL_CTL_ADD, connection->socket, EPOLLIN, connection);
    if (errno == EMFILE || errno == ENFILE) {
        /* No descriptor is left: clients stay in the backlog until a connection closes. The
         * listener stays readable, so the loop would spin if it went on watching it. */
        watch(EPOLL_CTL_MOD, listener, 0, NULL);
        is_accepting = false;
    } else if (!is_not_now()) {
        fail("accept4");
    }
}

static void connection_ready(struct connection *connection) {
    bool wanted_to_write = wants_to_write(connection);
    if (wanted_to_write ? writable(connection) : readable(connection)) {
        if (wants_to_write(connection) != wanted_to_write)
            watch(EPOLL_CTL_MOD, connection->socket, wanted_to_write ? EPOLLIN : EPOLLOUT,
                  connection);
        return;
    }
    close_connection(connection); /* which takes it from the epoll instance, too */
    if (!is_accepting) {
        watch(EPOLL_CTL_MOD, listener, EPOLLIN, NULL);
        is_accepting = true;
    }
}

int main(int count, char **arguments) {
    if (count != 2) {
        fprintf(stderr, "usage: %s PORT\n", arguments[0]);
        return 2;
    }
    raise_descriptor_limit(RLIM_INFINITY);
    listener = listen_on(atoi(arguments[1]));
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        fail("epoll_create1");
    watch(EPOLL_CTL_ADD, listener, EPOLLIN, NULL);
    is_accepting = true;
    for (;;) {
        static struct epoll_event events[EVENTS];
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        if (ready < 0 && errno != EINTR)
            fail("epoll_wait");
        for (int i = 0; i < ready; i++) {
            if (events[i].data.ptr)
                connection_ready(events[i].data.ptr);
            else
                accept_ready();
        }
    }
}
