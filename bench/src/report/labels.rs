//! Labels at the ends of lines, moved apart just enough that they don't overlap.

use std::ops::Range;

/// The upper edges of labels that stand one below the other in this order, without overlaps, and
/// all between `top` and `bottom`. Only if there isn't enough room for all of them, they extend
/// beyond the bottom. Each is given by where its edges would be if there were no other labels.
///
/// Labels that would overlap form a block, which is placed at the average of what its labels want.
/// This is isotonic regression: without the heights of the labels above it, no label may begin
/// before the one above. Here it is done by the max-min formula (Robertson, Wright and Dykstra,
/// *Order Restricted Statistical Inference*), which is slow, but there are few labels.
pub(super) fn spread(labels: &[Range<f64>], top: f64, bottom: f64) -> Vec<f64> {
    let mut height = 0.0;
    let mut above = Vec::new();
    for label in labels {
        above.push(height);
        height += label.end - label.start;
    }
    let starts: Vec<f64> = labels.iter().zip(&above).map(|(it, above)| it.start - above).collect();
    let average = |labels: &[f64]| labels.iter().sum::<f64>() / labels.len() as f64;
    let place = |label: usize| {
        let lowest = |first: usize| {
            let averages = (label..starts.len()).map(|last| average(&starts[first..=last]));
            averages.fold(f64::INFINITY, f64::min)
        };
        let start = (0..=label).map(lowest).fold(f64::NEG_INFINITY, f64::max);
        start.min(bottom - height).max(top) + above[label]
    };
    (0..labels.len()).map(place).collect()
}

#[cfg(test)]
mod tests;
