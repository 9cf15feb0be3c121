//! In which order benchmarks run.

/// The same things in another order in each run: what the machine does on the side, or what
/// one benchmark leaves behind for the next, then does not always hit the same one.
pub fn shuffled<T: Clone>(things: &[T]) -> Vec<T> {
    let mut things = things.to_vec();
    fastrand::shuffle(&mut things);
    things
}
