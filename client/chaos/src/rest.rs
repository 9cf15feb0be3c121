//! What the server uses when no client is connected, and whether that grows.

use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use load_generator::json::as_seconds;
use server_process::ServerProcess;

/// How long the server may take to clean up after its last clients. Servers linger for some
/// seconds, so that the last reply arrives even if the client has kept sending.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a sample is taken.
const LOOK: Duration = Duration::from_millis(50);

/// How much memory may grow from the first rests to the last, in bytes: an allocator keeps what it
/// once needed.
const GROWTH: u64 = 4 << 20;

/// In addition, it may grow by this fraction (one part in so many). Our servers have grown by less
/// than a fifth, servers in Go and Python by less than a tenth, but those in Node by a third within
/// half a minute.
const GROWTH_PART: u64 = 2;

/// From this many samples on, we check whether memory grows steadily.
const MANY: usize = 9;

/// How much the last third of them may be above the first, in bytes. At rest, our servers differ by
/// some hundred kilobytes from one sample to the next.
const STEADY: u64 = 1 << 20;

/// In addition, this fraction (one part in so many).
const STEADY_PART: u64 = 10;

/// What the server uses at rest.
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
    /// Takes a sample when nothing has changed for a few samples: the server has started, and the
    /// first client has gone.
    pub(super) fn settled(process: &ServerProcess, began: Instant) -> Option<Self> {
        const ALIKE: usize = 4;
        let (mut descriptors, mut alike) = (0, 0);
        Sample::take(process, began, |sample| {
            alike = if sample.descriptors == descriptors { alike + 1 } else { 0 };
            descriptors = sample.descriptors;
            alike >= ALIKE
        })
    }

    /// Takes samples until one is as it should be, but not for ever, and returns the last. `None`
    /// if the system can't say what processes use.
    pub(super) fn take(
        process: &ServerProcess,
        began: Instant,
        mut is_right: impl FnMut(&Sample) -> bool,
    ) -> Option<Self> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // The first sample is taken after a moment too: a server has to notice first that its
            // last client has gone.
            thread::sleep(LOOK);
            let (memory, descriptors) = (process.cost()?.resident, process.descriptors()?);
            let sample = Sample { at: began.elapsed(), memory, descriptors };
            if is_right(&sample) || Instant::now() >= deadline {
                return Some(sample);
            }
        }
    }
}

/// What has grown in these samples, in words.
pub(super) fn growth(samples: &[Sample]) -> Vec<String> {
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return Vec::new() };
    let descriptors = (last.descriptors > first.descriptors).then(|| {
        format!(
            "{} descriptors are open although no client is connected; after the first wave there \
             were {}",
            last.descriptors, first.descriptors
        )
    });
    growth_of_memory(samples).into_iter().chain(descriptors).collect()
}

/// The last sample is compared with the first third of them: a runtime with garbage collection
/// finds its size only after a while.
fn growth_of_memory(samples: &[Sample]) -> Option<String> {
    let memory: Vec<u64> = samples.iter().map(|sample| sample.memory).collect();
    let third = memory.len().div_ceil(3);
    let (early, late) = (&memory[..third], &memory[memory.len() - third..]);
    let (before, after) = (*early.iter().max()?, *late.last()?);
    let bound = before + GROWTH + before / GROWTH_PART;
    if after > bound {
        let [before, after, bound] = [before, after, bound].map(megabytes);
        return Some(format!(
            "its memory has grown from {before} to {after}, although no client is connected; up to \
             {bound} is allowed"
        ));
    }
    // The median of each third, so that peaks and dips don't count.
    let (early, late) = (median(early), median(late));
    let is_steady = memory.len() >= MANY && late > early + STEADY + early / STEADY_PART;
    is_steady.then(|| {
        format!(
            "its memory grows steadily: {} in the first third of {} rests, {} in the last third \
             (medians)",
            megabytes(early),
            memory.len(),
            megabytes(late)
        )
    })
}

fn median(memory: &[u64]) -> u64 {
    let mut memory = memory.to_vec();
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
        growth_of_memory(&memory.into_iter().map(sample).collect::<Vec<_>>())
    }

    #[test]
    fn what_an_allocator_keeps_is_no_growth() {
        assert_eq!(growth_of([5_000_000, 9_000_000, 5_100_000]), None);
        assert_eq!(growth_of([100_000_000, 150_000_000]), None);
        // Peaks aren't growth either, nor is memory that was needed once and is kept.
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
