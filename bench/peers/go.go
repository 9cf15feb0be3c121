// Go: a goroutine for each connection, which blocks; underneath, the runtime waits in epoll(7) or
// kqueue(2) for all of them, and runs them on all processors.
//
// The runtime raises the limit of descriptors itself, from Go 1.19 on, and sets TCP_NODELAY. The
// backlog is what the system allows (on Linux /proc/sys/net/core/somaxconn).
//
// Left out: idle time-outs, the console, the counters, and a stop that sends the pending replies:
// SIGINT and SIGTERM just end it.
//
//	go run go.go 8686
package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"log"
	"net"
	"os"
	"syscall"
	"time"
)

const (
	requestMax = 1024
	reply      = "Hello from server!\n"
	tooLong    = "Request too long!\n"

	// How long to wait for a descriptor when none is left; net/http waits up to a second.
	tryAgain = 100 * time.Millisecond
)

func main() {
	if len(os.Args) != 2 {
		log.Fatalf("usage: %s PORT", os.Args[0])
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	for {
		conn, err := listener.Accept()
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
			// No descriptor is left: clients stay in the backlog meanwhile.
			time.Sleep(tryAgain)
			continue
		}
		if err != nil {
			log.Fatal(err)
		}
		go serve(conn.(*net.TCPConn))
	}
}

func serve(conn *net.TCPConn) {
	defer conn.Close()
	// Room for one byte more than a request may have, to notice that it is too long.
	reader := bufio.NewReaderSize(conn, requestMax+1)
	writer := bufio.NewWriter(conn)
	for {
		line, err := reader.ReadSlice('\n')
		switch {
		case len(line) > requestMax:
			refuse(conn, writer)
			return
		case err == nil:
			writer.WriteString(reply)
		case err == io.EOF && len(line) > 0:
			writer.WriteString(reply)
			writer.Flush()
			return
		default:
			// The end, or the client has closed: all of its replies are already flushed.
			return
		}
		// While there are more whole requests in the buffer, their replies are sent together.
		buffered, _ := reader.Peek(reader.Buffered())
		if bytes.IndexByte(buffered, '\n') < 0 && writer.Flush() != nil {
			return
		}
	}
}

// refuse sends the last reply. Closing with unread bytes would reset the connection, and the reply
// could be lost.
func refuse(conn *net.TCPConn, writer *bufio.Writer) {
	writer.WriteString(tooLong)
	if writer.Flush() == nil && conn.CloseWrite() == nil {
		io.Copy(io.Discard, conn)
	}
}
