//! What the server has when nobody is there, and whether that grows.

use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use load_generator::json::as_seconds;
use server_process::ServerProcess;

/// How long the server may take to get rid of what the clients before have left. Servers linger
/// for some seconds, so that a last reply arrives though the client has sent on.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(50);

/// What memory may grow by, from the first rests to the last, in bytes: an allocator keeps what it
/// once needed.
const GROWTH: u64 = 4 << 20;

/// And besides, one part in so many of what it was. Our servers have grown by less than a fifth,
/// Go's and Python's by less than a tenth, but Node's by a third within half a minute.
const GROWTH_PART: u64 = 2;

/// From so many looks on, it is tried whether memory grows steadily.
const MANY: usize = 9;

/// By how much the last third of them may be above the first, in bytes. At rest our servers differ
/// from one look to the next by some hundred kilobytes.
const STEADY: u64 = 1 << 20;

/// And besides, one part in so many of what it was.
const STEADY_PART: u64 = 10;

/// What the server has at rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// When, counted from the beginning of the run.
    #[serde(rename = "at_s", serialize_with = "as_seconds")]
    pub at: Duration,
    /// Memory in use, of all its processes, in bytes.
    #[serde(rename = "memory_bytes")]
    pub memory: u64,
    /// Open descriptors of all its processes.
    pub descriptors: u64,
}

impl Sample {
    /// Looks when nothing has changed from one look to the next few: the server has started, and
    /// whoever was there has gone. `None` where nobody can tell what processes have.
    pub(super) fn settled(process: &ServerProcess, began: Instant) -> Option<Self> {
        const ALIKE: usize = 4;
        let deadline = Instant::now() + PATIENCE;
        let (mut last, mut alike) = (Sample::now(process, began)?, 0);
        while alike < ALIKE && Instant::now() < deadline {
            thread::sleep(LOOK);
            let next = Sample::now(process, began)?;
            alike = if next.descriptors == last.descriptors { alike + 1 } else { 0 };
            last = next;
        }
        Some(last)
    }

    /// Looks at once.
    fn now(process: &ServerProcess, began: Instant) -> Option<Self> {
        let memory = process.cost()?.resident;
        Some(Sample { at: began.elapsed(), memory, descriptors: process.descriptors()? })
    }

    /// Waits until the server has no more descriptors than `descriptors`, but not for ever, and
    /// looks.
    pub(super) fn at_rest(
        process: &ServerProcess,
        began: Instant,
        descriptors: u64,
    ) -> Option<Self> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // The first look comes after a moment, too: a server whose last client has gone has
            // still to notice it.
            thread::sleep(LOOK);
            let sample = Sample::now(process, began)?;
            if sample.descriptors <= descriptors || Instant::now() >= deadline {
                return Some(sample);
            }
        }
    }
}

/// What is wrong with the memory of these looks, in words. The last is held against the first
/// third of them: a runtime that collects garbage finds its size only after a while.
pub(super) fn growth(samples: &[Sample]) -> Option<String> {
    let third = samples.len().div_ceil(3);
    let before = samples[..third].iter().map(|sample| sample.memory).max()?;
    let after = samples.last()?.memory;
    let bound = before + GROWTH + before / GROWTH_PART;
    if after > bound {
        return Some(format!(
            "its memory has grown from {} to {}, though nobody is there; up to {} is allowed for",
            megabytes(before),
            megabytes(after),
            megabytes(bound)
        ));
    }
    if samples.len() < MANY {
        return None;
    }
    // Of a third of them each, the middle one: peaks and dips don't count.
    let (early, late) = (median(&samples[..third]), median(&samples[samples.len() - third..]));
    (late > early + STEADY + early / STEADY_PART).then(|| {
        format!(
            "its memory grows steadily: {} in the first third of {} rests, {} in the last (medians)",
            megabytes(early),
            samples.len(),
            megabytes(late)
        )
    })
}

fn median(samples: &[Sample]) -> u64 {
    let mut memory: Vec<u64> = samples.iter().map(|sample| sample.memory).collect();
    memory.sort_unstable();
    memory[memory.len() / 2]
}

/// Memory for people.
pub(super) fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn growth_of(memory: impl IntoIterator<Item = u64>) -> Option<String> {
        let sample = |memory| Sample { at: Duration::ZERO, memory, descriptors: 9 };
        growth(&memory.into_iter().map(sample).collect::<Vec<_>>())
    }

    #[test]
    fn what_an_allocator_keeps_is_no_growth() {
        assert_eq!(growth_of([5_000_000, 9_000_000, 5_100_000]), None);
        assert_eq!(growth_of([100_000_000, 150_000_000]), None);
        // Peaks are none, either, and nor is what was needed once and is kept.
        assert_eq!(growth_of((0..180).map(|i| 5_000_000 + i % 7 * 100_000)), None);
        assert_eq!(growth_of((0..180).map(|i| if i < 20 { 5_000_000 } else { 5_900_000 })), None);
    }

    #[test]
    fn much_at_once_and_a_little_for_long_are_growth() {
        assert!(growth_of([5_000_000, 12_000_000]).unwrap().contains("from 5.0 MB"));
        let slowly = (0..180).map(|i| 5_000_000 + 20_000 * i);
        assert!(growth_of(slowly).unwrap().contains("grows steadily"));
    }
}
