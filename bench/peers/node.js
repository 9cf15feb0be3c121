// Node's `net`: callbacks in JavaScript over libuv, in one thread.
//
// It raises its limit of descriptors itself. When no descriptor is left, libuv accepts clients with
// one that it keeps in reserve, and closes them at once; there is no way to let them wait.
//
// Left out: idle time-outs, the console, the counters, and a stop that sends the pending replies:
// SIGINT and SIGTERM just end it.
//
//     node node.js 8686

'use strict';
const net = require('node:net');

const REQUEST_MAX = 1024;
const REPLY = 'Hello from server!\n';
const TOO_LONG = 'Request too long!\n';
const BACKLOG = 1024; // as in the servers of the workspace
const LF = 10;

function serve(socket) {
  let unfinished = 0; // bytes of a request whose end has not come yet

  const take = (data) => {
    let replies = '';
    for (let begin = 0; begin < data.length; ) {
      const end = data.indexOf(LF, begin) + 1 || data.length;
      const isWhole = data[end - 1] === LF;
      unfinished += end - begin;
      if (unfinished > REQUEST_MAX) return refuse(replies);
      if (isWhole) {
        replies += REPLY;
        unfinished = 0;
      }
      begin = end;
    }
    // While a client doesn't read its replies, don't read from it.
    if (replies && !socket.write(replies, 'latin1')) socket.pause();
  };

  const refuse = (replies) => {
    // Closing with unread bytes would reset the connection, and this line could be lost. So
    // discard them until the client ends.
    unfinished = 0;
    socket.off('data', take).resume();
    socket.end(replies + TOO_LONG, 'latin1');
  };

  socket.on('data', take);
  socket.on('drain', () => socket.resume());
  socket.on('end', () => socket.end(unfinished > 0 ? REPLY : undefined));
  // The client has closed, which doesn't affect the others; 'close' follows by itself.
  socket.on('error', () => {});
}

// allowHalfOpen: a client that has closed its sending half still gets its replies.
net
  .createServer({ allowHalfOpen: true, noDelay: true }, serve)
  .listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: BACKLOG });
