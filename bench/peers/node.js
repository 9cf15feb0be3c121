// Node's `net`: callbacks in JavaScript over libuv, in one thread.
//
// It raises its limit of descriptors itself. Clients for whom there is none are accepted with one
// that libuv keeps in reserve, and closed at once; there is no way to let them wait.
//
// Left out: idle time-outs, the console, the counters, and a stop that sends what is owed: SIGINT
// and SIGTERM simply end it.
//
//     node node.js 8686

'use strict';
const net = require('node:net');

const REQUEST_MAX = 1024;
const REPLY = 'Hello from server!\n';
const TOO_LONG = 'Request too long!\n';
const BACKLOG = 1024; // as at the servers of the workspace
const LF = 10;

function serve(socket) {
  let unfinished = 0; // bytes of a request whose end has not come

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
    // A client that does not read its replies is not read from until they are sent.
    if (replies && !socket.write(replies, 'latin1')) socket.pause();
  };

  const refuse = (replies) => {
    // To close with bytes unread would reset the connection, and this line could be lost: so
    // throw them away until the client ends.
    unfinished = 0;
    socket.off('data', take).resume();
    socket.end(replies + TOO_LONG, 'latin1');
  };

  socket.on('data', take);
  socket.on('drain', () => socket.resume());
  socket.on('end', () => socket.end(unfinished > 0 ? REPLY : undefined));
  // The client has gone, and that concerns nobody else; 'close' follows by itself.
  socket.on('error', () => {});
}

// allowHalfOpen: a client that has closed its sending half is still answered.
net
  .createServer({ allowHalfOpen: true, noDelay: true }, serve)
  .listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: BACKLOG });
