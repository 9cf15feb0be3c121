//! How certain a figure is.

use serde::Serialize;

/// A median, and bounds that contain the true median in 95 of 100 such measurements.
///
/// The bounds are two of the samples themselves, chosen by how many samples lie beyond them (the
/// sign test turned around). This assumes nothing about the distribution of the samples, which is
/// never normal on a machine that also does other things. See Le Boudec, *Performance Evaluation of
/// Computer and Communication Systems*, 2.2 "Confidence interval for the median".
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The lower bound.
    pub low: f64,
    /// The middle of the samples.
    pub median: f64,
    /// The upper bound.
    pub high: f64,
}

/// The lower bound, the median, the upper bound.
impl From<Interval> for [f64; 3] {
    fn from(Interval { low, median, high }: Interval) -> Self {
        [low, median, high]
    }
}

/// The true median lies within the bounds at least this often.
const CONFIDENCE: f64 = 0.95;

impl Interval {
    /// Fewer samples don't allow such a confidence: even the smallest and the largest of five have
    /// the true median between them in only 15 of 16 measurements.
    pub(crate) const FEWEST: usize = 6;

    /// The interval of samples that were taken independently; `None` if there are none.
    ///
    /// Fewer than six don't allow a confidence of 95%. Then the bounds are the smallest and the
    /// largest sample.
    pub fn of(samples: &[f64]) -> Option<Self> {
        let mut samples = samples.to_vec();
        samples.sort_by(f64::total_cmp);
        let last = samples.len().checked_sub(1)?;
        let median = (samples[last / 2] + samples[samples.len() / 2]) / 2.0;
        let beyond = left_out(samples.len());
        Some(Interval { low: samples[beyond], median, high: samples[last - beyond] })
    }

    /// What the bounds of this many samples are, in words.
    pub(crate) fn bounds_of(samples: usize) -> &'static str {
        if samples < Interval::FEWEST {
            "the smallest and the largest, because fewer than six don't allow 95% bounds"
        } else {
            "the bounds that contain the true median in 95 of 100 such measurements"
        }
    }

    /// The same in another unit: each value times `factor`.
    pub fn times(self, factor: f64) -> Self {
        let Interval { low, median, high } = self;
        Interval { low: low * factor, median: median * factor, high: high * factor }
    }
}

/// How many of `count` samples may be left out at each end.
///
/// Each sample is below the true median with a probability of 1/2, so the number of samples below
/// it has a binomial distribution. The bounds miss the median if no other samples than those left
/// out lie on one side of it.
fn left_out(count: usize) -> usize {
    let mut misses_on_one_side = 0.0;
    let mut probability = 0.5_f64.powf(count as f64); // that no sample is below the median
    for below in 0..count {
        misses_on_one_side += probability;
        if 1.0 - 2.0 * misses_on_one_side < CONFIDENCE {
            return below.saturating_sub(1);
        }
        probability *= (count - below) as f64 / (below + 1) as f64;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From Le Boudec's table in appendix A: for each count, the rank of the lower bound, counted
    /// from 1, at a confidence of 95%.
    #[test]
    fn as_many_are_left_out_as_the_table_says() {
        for (count, rank) in [(6, 1), (8, 1), (9, 2), (12, 3), (20, 6), (30, 10), (70, 27)] {
            assert_eq!(left_out(count) + 1, rank, "of {count}");
        }
        assert_eq!([0, 1, 5].map(left_out), [0, 0, 0], "too few to leave any out");
        let confidence = |samples: usize| 1.0 - 2.0 * 0.5_f64.powf(samples as f64);
        assert!(confidence(Interval::FEWEST - 1) < CONFIDENCE);
        assert!(confidence(Interval::FEWEST) >= CONFIDENCE);
    }

    #[test]
    fn the_bounds_are_samples_and_the_median_is_in_the_middle() {
        assert_eq!(Interval::of(&[]), None);
        let one = Interval::of(&[3.0]).unwrap();
        assert_eq!((one.low, one.median, one.high), (3.0, 3.0, 3.0));
        let samples: Vec<f64> = (1..=10).rev().map(f64::from).collect();
        let ten = Interval::of(&samples).unwrap();
        assert_eq!((ten.low, ten.median, ten.high), (2.0, 5.5, 9.0));
    }
}
