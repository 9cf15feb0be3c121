//! The table to compare ours with: Michael Kerrisk, *The Linux Programming Interface* (2010), Table
//! 63-9, "Times taken by poll(), select(), and epoll for 100,000 monitoring operations".

/// The ways to wait, and for each number of descriptors the processor seconds for all operations.
/// (select could watch 10,000 because of a larger FD_SETSIZE.)
const SECONDS: [(&str, [(f64, f64); 4]); 3] = [
    ("poll", [(10.0, 0.61), (100.0, 2.9), (1_000.0, 35.0), (10_000.0, 990.0)]),
    ("select", [(10.0, 0.73), (100.0, 3.0), (1_000.0, 35.0), (10_000.0, 930.0)]),
    ("epoll", [(10.0, 0.41), (100.0, 0.42), (1_000.0, 0.53), (10_000.0, 0.66)]),
];

const OPERATIONS: f64 = 100_000.0;

/// The ways to wait, and for each number of descriptors the nanoseconds for one operation.
pub(super) fn ways() -> [(&'static str, [(f64, f64); 4]); 3] {
    SECONDS.map(|(way, all)| (way, all.map(|(count, it)| (count, it * 1e9 / OPERATIONS))))
}
