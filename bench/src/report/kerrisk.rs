//! The table to compare ours with: Michael Kerrisk, *The Linux Programming Interface* (2010), Table
//! 63-9, "Times taken by poll(), select(), and epoll for 100,000 monitoring operations".

/// How many descriptors were monitored.
pub(super) const DESCRIPTORS: [u32; 4] = [10, 100, 1_000, 10_000];

/// The way to wait, and the processor seconds for all operations, for each number of descriptors.
/// (select could watch 10,000 because of a larger FD_SETSIZE.)
pub(super) const SECONDS: [(&str, [f64; 4]); 3] = [
    ("poll", [0.61, 2.9, 35.0, 990.0]),
    ("select", [0.73, 3.0, 35.0, 930.0]),
    ("epoll", [0.41, 0.42, 0.53, 0.66]),
];

const OPERATIONS: f64 = 100_000.0;

/// What one operation took.
pub(super) fn nanoseconds(seconds: f64) -> f64 {
    seconds * 1e9 / OPERATIONS
}
