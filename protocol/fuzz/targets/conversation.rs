//! The model check of `protocol/tests/model`, with courses of events that a fuzzer makes up:
//! it keeps those that reach new code, and changes them.
//!
//! It takes a nightly compiler and `cargo install cargo-fuzz`. In the folder `protocol`, for ten
//! minutes and courses of up to 200 steps, with what is found on the way put into a folder that
//! may be thrown away:
//!
//! ```text
//! mkdir -p /tmp/found
//! cargo +nightly fuzz run conversation /tmp/found fuzz/corpus/conversation -- \
//!     -max_total_time=600 -max_len=600
//! ```
//!
//! What fails is kept in `fuzz/artifacts`, and `cargo +nightly fuzz tmin` makes it small. A copy
//! in `fuzz/corpus/conversation`, with a name that says what it shows, has `cargo test` play it
//! from then on.
//!
//! The corpus holds the few small courses that together reach all code that was ever reached;
//! this leaves them in `/tmp/found`:
//!
//! ```text
//! cargo +nightly fuzz cmin conversation /tmp/found -- -use_counters=0
//! ```
//!
//! Those that have a name are the smallest ones by which a mistake, made on purpose, was found.
//!
//! Left out: delays that are drawn, see `drawn_delays.rs` beside the reference.

#![no_main]

#[path = "../../tests/model/bytes.rs"]
mod bytes;
#[path = "../../tests/model/reference.rs"]
#[expect(dead_code, reason = "some of it, only proptest's strategies ask")]
mod reference;
#[path = "../../tests/model/step.rs"]
mod step;
#[path = "../../tests/model/subject.rs"]
mod subject;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|course: &[u8]| bytes::play(course));
