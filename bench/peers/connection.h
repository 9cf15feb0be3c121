/* A non-blocking socket and its conversation, for the two bare loops in C, which differ only in how
 * they wait. */

#ifndef CONNECTION_H
#define CONNECTION_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* accept4(2) */
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lines.h"

/* How many connections may be pending, as in the servers of the workspace. */
#define BACKLOG 1024

static void fail(const char *what) {
    perror(what);
    exit(1);
}

/* Allows descriptors up to the hard limit, but not more than `most`. */
static void raise_descriptor_limit(rlim_t most) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        fail("getrlimit");
    limit.rlim_cur = limit.rlim_max < most ? limit.rlim_max : most;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        fail("setrlimit");
}

static int listen_on(int port) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0)
        fail("socket");
    int on = 1;
    if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        fail("setsockopt");
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((in_port_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0)
        fail("bind");
    if (listen(listener, BACKLOG) < 0)
        fail("listen");
    return listener;
}

struct connection {
    int socket;
    struct conversation conversation;
    char *pending; /* replies that the kernel has not taken yet; NULL: none */
    size_t length; /* of pending, in bytes */
    size_t sent;   /* how many of them have been sent */
};

/* Returns NULL with errno set if no connection is pending, or there is no room for another. */
static struct connection *accept_one(int listener) {
    int client;
    do {
        client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        /* A signal came first, or the client has already closed: there may be others. */
    } while (client < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (client < 0)
        return NULL;
    int on = 1;
    struct connection *connection = calloc(1, sizeof *connection);
    /* Without TCP_NODELAY, a small reply may wait until the client acknowledges the one before. */
    if (!connection || setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
        fail("accept");
    connection->socket = client;
    return connection;
}

static void close_connection(struct connection *connection) {
    close(connection->socket);
    free(connection->pending);
    free(connection);
}

/* While a client doesn't read its replies, the server doesn't read from it either, so no client can
 * make the memory grow by more than the replies to one read. */
static bool wants_to_write(const struct connection *connection) {
    return connection->pending != NULL;
}

/* EAGAIN: not ready after all. EINTR: a signal came first. In both cases, go back and wait. */
static bool is_not_now(void) {
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* Everything was sent; returns whether the connection goes on. */
static bool all_is_said(struct connection *connection) {
    switch (connection->conversation.phase) {
    case OPEN:
        return true;
    case LINGERING:
        return shutdown(connection->socket, SHUT_WR) == 0;
    default:
        return false;
    }
}

/* Sends at once what the kernel takes, and keeps the rest. */
static bool send_replies(struct connection *connection, const char *replies, size_t length) {
    /* MSG_NOSIGNAL: if the client has closed, this call fails, instead of ending the process. */
    ssize_t sent = send(connection->socket, replies, length, MSG_NOSIGNAL);
    if (sent < 0 && !is_not_now())
        return false;
    size_t taken = sent < 0 ? 0 : (size_t)sent;
    if (taken == length)
        return all_is_said(connection);
    connection->length = length - taken;
    connection->sent = 0;
    connection->pending = malloc(connection->length);
    if (!connection->pending)
        return false;
    memcpy(connection->pending, replies + taken, connection->length);
    return true;
}

/* Reads once, and replies; returns whether the connection goes on. */
static bool readable(struct connection *connection) {
    static char replies[REPLIES_MAX];
    char bytes[READ_MAX];
    struct conversation *conversation = &connection->conversation;
    ssize_t count = recv(connection->socket, bytes, sizeof bytes, 0);
    if (count < 0)
        return is_not_now();
    size_t length = count == 0 ? answer_end(conversation, replies)
                               : answer(conversation, bytes, (size_t)count, replies);
    if (length > 0)
        return send_replies(connection, replies, length);
    return conversation->phase != CLOSING;
}

/* Sends what is pending; returns whether the connection goes on. */
static bool writable(struct connection *connection) {
    ssize_t sent = send(connection->socket, connection->pending + connection->sent,
                        connection->length - connection->sent, MSG_NOSIGNAL);
    if (sent < 0)
        return is_not_now();
    connection->sent += (size_t)sent;
    if (connection->sent < connection->length)
        return true;
    free(connection->pending);
    connection->pending = NULL;
    return all_is_said(connection);
}

#endif
