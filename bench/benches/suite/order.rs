//! In which order things are measured.

use std::hash::{BuildHasher, RandomState};

/// The same things in a random order, another one in each run: what a benchmark leaves behind for
/// the next one (a warm processor, ports that are still taken) then does not always meet the
/// same.
pub fn shuffled<T>(mut things: Vec<T>) -> Vec<T> {
    let dice = RandomState::new(); // the standard library's only source of chance
    for last in (1..things.len()).rev() {
        let other = dice.hash_one(last) % (last as u64 + 1);
        things.swap(last, other as usize);
    }
    things
}
