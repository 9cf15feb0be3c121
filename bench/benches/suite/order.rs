//! The order in which benchmarks run.

/// The same things in a different order in each run, so that what the machine does on the side, or
/// what one benchmark leaves behind, doesn't always affect the same benchmark.
pub fn shuffled<T: Clone>(things: &[T]) -> Vec<T> {
    let mut things = things.to_vec();
    fastrand::shuffle(&mut things);
    things
}
