//! What a client sends: one request or many in a row, let go of piece by piece.

/// As much of a long row of requests as is handed to the kernel in one call, in bytes.
const CHUNK: usize = 16 * 1024;

/// A row of requests, all alike, on their way into a socket.
pub(super) struct Outbox {
    /// One request, or many so that a long row costs few calls.
    requests: Vec<u8>,
    /// The length of one request, in bytes.
    pub(super) length: usize,
    /// The length of the row, in bytes.
    all: usize,
    /// How many bytes of the row may be sent by now. What lies between this and `sent` did
    /// not fit into the socket.
    released: usize,
    sent: usize,
}

impl Outbox {
    pub(super) fn new(request: Vec<u8>) -> Self {
        Outbox { length: request.len(), requests: request, all: 0, released: 0, sent: 0 }
    }

    /// Begins a row of so many requests. Nothing of it is released yet.
    pub(super) fn begin(&mut self, requests: usize) {
        let at_once = requests.min(CHUNK / self.length).max(1);
        if self.requests.len() < at_once * self.length {
            self.requests = self.requests[..self.length].repeat(at_once);
        }
        self.all = requests * self.length;
        self.released = 0;
        self.sent = 0;
    }

    /// Leaves out the last byte of the row.
    pub(super) fn cut_the_end(&mut self) {
        self.all -= 1;
    }

    /// Ends the row after the request that is under way.
    pub(super) fn end_after_this(&mut self) {
        self.all = self.sent.next_multiple_of(self.length);
        self.released = self.all;
    }

    /// Lets go of so many bytes more.
    pub(super) fn release(&mut self, bytes: usize) {
        self.released = self.all.min(self.released.saturating_add(bytes));
    }

    pub(super) fn has_released_all(&self) -> bool {
        self.released == self.all
    }

    /// What may be sent now; not everything, if that is much.
    pub(super) fn ready(&self) -> &[u8] {
        let from = self.sent % self.length;
        let bytes = &self.requests[from..];
        &bytes[..bytes.len().min(self.released - self.sent)]
    }

    /// So many bytes were sent; returns how many requests that has completed.
    pub(super) fn advance(&mut self, bytes: usize) -> usize {
        let before = self.sent / self.length;
        self.sent += bytes;
        self.sent / self.length - before
    }

    /// How much of the request that is under way is sent, in words.
    pub(super) fn progress(&self) -> String {
        format!("{} of {} bytes of the request", self.sent % self.length, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends the row with a kernel that takes `piece` bytes at once.
    fn send(outbox: &mut Outbox, piece: usize) -> (Vec<u8>, usize) {
        let (mut bytes, mut requests) = (Vec::new(), 0);
        while !outbox.ready().is_empty() {
            let ready = outbox.ready();
            let taken = ready.len().min(piece);
            bytes.extend_from_slice(&ready[..taken]);
            requests += outbox.advance(taken);
        }
        (bytes, requests)
    }

    #[test]
    fn a_row_arrives_whole_whatever_the_kernel_takes_at_once() {
        for piece in [1, 5, 7, CHUNK, usize::MAX] {
            let mut outbox = Outbox::new(b"hello\n".to_vec());
            outbox.begin(10_000);
            outbox.release(usize::MAX);
            assert_eq!(send(&mut outbox, piece), (b"hello\n".repeat(10_000), 10_000));
        }
    }

    #[test]
    fn nothing_is_sent_that_is_not_released() {
        let mut outbox = Outbox::new(b"hello\n".to_vec());
        outbox.begin(1);
        assert!(outbox.ready().is_empty());
        outbox.release(3);
        assert_eq!(send(&mut outbox, 2), (b"hel".to_vec(), 0));
        assert_eq!(outbox.progress(), "3 of 6 bytes of the request");
        outbox.release(100);
        assert_eq!(send(&mut outbox, 2), (b"lo\n".to_vec(), 1));
    }

    #[test]
    fn a_row_can_lack_its_last_byte_or_end_before() {
        let mut outbox = Outbox::new(b"hello\n".to_vec());
        outbox.begin(3);
        outbox.cut_the_end();
        outbox.release(usize::MAX);
        assert_eq!(send(&mut outbox, 4), (b"hello\nhello\nhello".to_vec(), 2));

        outbox.begin(3);
        outbox.release(usize::MAX);
        outbox.advance(8);
        outbox.end_after_this();
        assert_eq!(send(&mut outbox, 4), (b"llo\n".to_vec(), 1));
        outbox.end_after_this();
        assert!(outbox.ready().is_empty());
    }
}
