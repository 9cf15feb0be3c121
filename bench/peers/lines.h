/* The protocol `lines`, for the peers in C: what is sent, but not how to wait.
 *
 * A request is any bytes up to and including LF; the reply to each is one line. The client ends by
 * closing its sending half: an unfinished last line counts as a request. A request has at most 1024
 * bytes, including its LF if it has one. As soon as byte 1025 comes, it is too long: this gets a
 * reply, too, and that is the last one. */

#ifndef LINES_H
#define LINES_H

#include <stdbool.h>
#include <string.h>

#define REQUEST_MAX 1024
#define REPLY "Hello from server!\n"
#define TOO_LONG "Request too long!\n"

/* The most bytes per read, as in the servers of the workspace. */
#define READ_MAX 4096

/* The most bytes of replies to one read: each byte of it may be a request. */
#define REPLIES_MAX (READ_MAX * (sizeof REPLY - 1) + sizeof TOO_LONG - 1)

enum phase {
    OPEN,     /* requests are accepted */
    CLOSING,  /* the client has ended: send the pending replies, and close */
    LINGERING /* a request was too long: send the pending replies, close the sending half, and
                 discard what still comes until the client ends. If the socket were closed at once,
                 unread bytes would cause a reset, which can destroy the last reply on its way. */
};

struct conversation {
    enum phase phase;
    size_t unfinished; /* bytes of a request whose end has not come yet */
};

static size_t say(char *replies, size_t length, const char *line) {
    size_t more = strlen(line);
    memcpy(replies + length, line, more);
    return length + more;
}

/* Takes what was read, and writes the replies; returns how many bytes these are. */
static size_t answer(struct conversation *conversation, const char *bytes, size_t count,
                     char replies[REPLIES_MAX]) {
    size_t length = 0;
    const char *end = bytes + count;
    while (conversation->phase == OPEN && bytes < end) {
        const char *lf = memchr(bytes, '\n', (size_t)(end - bytes));
        conversation->unfinished += (size_t)((lf ? lf + 1 : end) - bytes);
        if (conversation->unfinished > REQUEST_MAX) {
            conversation->phase = LINGERING;
            return say(replies, length, TOO_LONG);
        }
        if (!lf)
            break;
        length = say(replies, length, REPLY);
        conversation->unfinished = 0;
        bytes = lf + 1;
    }
    return length;
}

/* Takes the end of the client's data, and writes the last reply; returns its number of bytes. */
static size_t answer_end(struct conversation *conversation, char replies[REPLIES_MAX]) {
    bool is_owed = conversation->phase == OPEN && conversation->unfinished > 0;
    conversation->phase = CLOSING;
    return is_owed ? say(replies, 0, REPLY) : 0;
}

#endif
