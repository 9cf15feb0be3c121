/* C with libuv, the event loop of Node: callbacks instead of a visible loop.
 *
 * Replies are sent directly at first (uv_try_write), as libuv's guide advises for small ones, and a
 * write request is made only for the rest. While such a request is under way, the server doesn't
 * read from that client, so one that doesn't read its replies can't make the memory grow.
 *
 * When no descriptor is left, libuv accepts clients with one that it keeps in reserve, and closes
 * them at once (uv__emfile_trick); it doesn't let them wait in the backlog.
 *
 * Left out: idle time-outs, the console, the counters, and a stop that sends the pending replies:
 * SIGINT and SIGTERM just end it. It also ends when memory runs out.
 *
 *     cc -O2 -o libuv libuv.c $(pkg-config --cflags --libs libuv) && ./libuv 8686
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <uv.h>

#include "lines.h"

/* How many connections may be pending, as in the servers of the workspace. */
#define BACKLOG 1024

struct client {
    uv_tcp_t socket;
    uv_write_t write;
    uv_shutdown_t shutdown;
    char *pending; /* replies that are being written; NULL: none */
    struct conversation conversation;
};

static void *allocated(void *memory) {
    if (memory)
        return memory;
    fprintf(stderr, "no memory left\n");
    exit(1);
}

static void must(int status, const char *what) {
    if (status < 0) {
        fprintf(stderr, "%s: %s\n", what, uv_strerror(status));
        exit(1);
    }
}

static void on_close(uv_handle_t *handle) {
    struct client *client = handle->data;
    free(client->pending);
    free(client);
}

static void close_client(struct client *client) {
    if (!uv_is_closing((uv_handle_t *)&client->socket))
        uv_close((uv_handle_t *)&client->socket, on_close);
}

/* All clients share one buffer, because its contents are used up before the next read. */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    static char bytes[READ_MAX];
    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(bytes, sizeof bytes);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer);

static void on_shutdown(uv_shutdown_t *request, int status) {
    if (status < 0 && status != UV_ECANCELED)
        close_client(request->handle->data);
}

/* Everything was sent. */
static void all_is_said(struct client *client) {
    uv_stream_t *stream = (uv_stream_t *)&client->socket;
    if (client->conversation.phase == CLOSING)
        close_client(client);
    else if (client->conversation.phase == LINGERING &&
             uv_shutdown(&client->shutdown, stream, on_shutdown) < 0)
        close_client(client);
}

static void on_write(uv_write_t *request, int status) {
    struct client *client = request->handle->data;
    free(client->pending);
    client->pending = NULL;
    if (status < 0) {
        close_client(client);
        return;
    }
    all_is_said(client);
    if (!uv_is_closing((uv_handle_t *)&client->socket))
        uv_read_start((uv_stream_t *)&client->socket, on_alloc, on_read);
}

static void send_replies(struct client *client, char *replies, size_t length) {
    uv_stream_t *stream = (uv_stream_t *)&client->socket;
    uv_buf_t buffer = uv_buf_init(replies, (unsigned)length);
    int sent = uv_try_write(stream, &buffer, 1);
    if (sent < 0 && sent != UV_EAGAIN) {
        close_client(client);
        return;
    }
    size_t left = length - (size_t)(sent < 0 ? 0 : sent);
    if (left == 0) {
        all_is_said(client);
        return;
    }
    client->pending = allocated(malloc(left));
    memcpy(client->pending, replies + length - left, left);
    buffer = uv_buf_init(client->pending, (unsigned)left);
    uv_read_stop(stream);
    if (uv_write(&client->write, stream, &buffer, 1, on_write) < 0)
        close_client(client);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer) {
    static char replies[REPLIES_MAX];
    struct client *client = stream->data;
    struct conversation *conversation = &client->conversation;
    if (count < 0 && count != UV_EOF) {
        close_client(client);
        return;
    }
    /* 0 is libuv's EAGAIN: there was nothing to read after all. */
    size_t length = count == UV_EOF
                        ? answer_end(conversation, replies)
                        : answer(conversation, buffer->base, (size_t)count, replies);
    if (length > 0)
        send_replies(client, replies, length);
    else if (conversation->phase == CLOSING)
        close_client(client);
}

static void on_connection(uv_stream_t *listener, int status) {
    /* The client has already closed, or there is no descriptor for it: there will be others. */
    if (status < 0)
        return;
    struct client *client = allocated(calloc(1, sizeof *client));
    must(uv_tcp_init(listener->loop, &client->socket), "uv_tcp_init");
    client->socket.data = client;
    if (uv_accept(listener, (uv_stream_t *)&client->socket) < 0 ||
        uv_tcp_nodelay(&client->socket, 1) < 0 ||
        uv_read_start((uv_stream_t *)&client->socket, on_alloc, on_read) < 0)
        close_client(client);
}

int main(int count, char **arguments) {
    if (count != 2) {
        fprintf(stderr, "usage: %s PORT\n", arguments[0]);
        return 2;
    }
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit); /* if it fails, there are fewer descriptors */
    }
    signal(SIGPIPE, SIG_IGN); /* if a client has closed, the write fails, and no signal comes */
    uv_tcp_t listener;
    struct sockaddr_in address;
    must(uv_tcp_init(uv_default_loop(), &listener), "uv_tcp_init");
    must(uv_ip4_addr("127.0.0.1", atoi(arguments[1]), &address), "uv_ip4_addr");
    must(uv_tcp_bind(&listener, (struct sockaddr *)&address, 0), "uv_tcp_bind");
    must(uv_listen((uv_stream_t *)&listener, BACKLOG, on_connection), "uv_listen");
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
