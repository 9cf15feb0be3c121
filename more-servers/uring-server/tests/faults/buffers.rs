//! Buffers of the test's ring, in place of `src/buffers.rs`.

use std::ops::Deref;

/// Bytes that have been received.
pub(crate) struct Buffer(pub(crate) Vec<u8>);

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
