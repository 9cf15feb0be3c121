use proptest::prelude::*;

use super::*;

fn wanted(tops: &[f64]) -> Vec<Range<f64>> {
    tops.iter().map(|&top| top..top + 10.0).collect()
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
            labels.iter().map(|&(top, height)| top..top + height).collect();
        let tops = spread(&labels, 0.0, 480.0);
        let mut edge = 0.0;
        for (top, label) in tops.iter().zip(&labels) {
            prop_assert!(*top >= edge - 1e-6, "{tops:?}");
            edge = top + label.end - label.start;
        }
        prop_assert!(edge <= 480.0 + 1e-6, "{tops:?}");
    }
}
