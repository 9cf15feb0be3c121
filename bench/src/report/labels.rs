//! Labels at the ends of lines, moved apart just enough that they don't overlap.

/// A label, before it has a place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// Where its upper edge would be if there were no other labels.
    pub(super) top: f64,
    pub(super) height: f64,
}

/// The upper edges of labels that stand one below the other in this order, without overlaps, and
/// all between `top` and `bottom`. Only if there isn't enough room for all of them, they extend
/// beyond the bottom.
///
/// Labels that touch form a block, which is placed at the average of what its labels want; blocks
/// that touch are merged (isotonic regression, by pooling adjacent violators).
pub(super) fn spread(labels: &[Wanted], top: f64, bottom: f64) -> Vec<f64> {
    let mut blocks: Vec<Block> = Vec::new();
    for &Wanted { top, height } in labels {
        let mut block = Block { starts: top, height, labels: 1 };
        while let Some(above) = blocks.pop_if(|above| above.end() > block.start()) {
            block = above.followed_by(&block);
        }
        blocks.push(block);
    }
    let mut heights = labels.iter().map(|label| label.height);
    let mut height_to_come: f64 = heights.clone().sum();
    let mut edge = top;
    let mut tops = Vec::new();
    for block in blocks {
        edge = block.start().min(bottom - height_to_come).max(edge);
        height_to_come -= block.height;
        for height in heights.by_ref().take(block.labels) {
            tops.push(edge);
            edge += height;
        }
    }
    tops
}

/// Labels that touch.
struct Block {
    /// The sum of where each of its labels alone would let the block begin.
    starts: f64,
    height: f64,
    labels: usize,
}

impl Block {
    fn start(&self) -> f64 {
        self.starts / self.labels as f64
    }

    fn end(&self) -> f64 {
        self.start() + self.height
    }

    fn followed_by(self, below: &Block) -> Block {
        Block {
            starts: self.starts + below.starts - self.height * below.labels as f64,
            height: self.height + below.height,
            labels: self.labels + below.labels,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wanted(tops: &[f64]) -> Vec<Wanted> {
        tops.iter().map(|&top| Wanted { top, height: 10.0 }).collect()
    }

    #[test]
    fn labels_with_room_stay_and_others_move_equally_far() {
        assert_eq!(spread(&wanted(&[5.0, 40.0, 70.0]), 0.0, 100.0), [5.0, 40.0, 70.0]);
        assert_eq!(spread(&wanted(&[50.0, 50.0]), 0.0, 100.0), [45.0, 55.0]);
        assert_eq!(spread(&wanted(&[-7.0, 2.0]), 0.0, 100.0), [0.0, 10.0]);
        assert_eq!(spread(&wanted(&[95.0, 96.0]), 0.0, 100.0), [80.0, 90.0]);
    }

    proptest! {
        #[test]
        fn no_label_overlaps_another_or_is_outside(
            mut labels in prop::collection::vec((-100.0..500.0_f64, 1.0..40.0_f64), 0..12)
        ) {
            labels.sort_by(|one, other| one.0.total_cmp(&other.0));
            let labels: Vec<_> =
                labels.iter().map(|&(top, height)| Wanted { top, height }).collect();
            let tops = spread(&labels, 0.0, 480.0);
            let mut edge = 0.0;
            for (top, label) in tops.iter().zip(&labels) {
                prop_assert!(*top >= edge - 1e-6, "{tops:?}");
                edge = top + label.height;
            }
            prop_assert!(edge <= 480.0 + 1e-6, "{tops:?}");
        }
    }
}
