//! What the legend of a picture explains.

use super::axis::Axis;
use super::drawn::{Drawn, PITCH_WITH_TIMES, begins, pitch, rows};
use super::style::name;
use load_generator::Phase;
use load_generator::report::Stage;

/// What the legend explains.
pub(super) enum Sample {
    Before,
    Bar(Phase),
    Reply { has_times: bool },
    Failure(Stage),
}

impl Sample {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Sample::Before => "not started yet",
            Sample::Bar(phase) => name(*phase),
            Sample::Reply { has_times: false } => "reply received",
            Sample::Reply { has_times: true } => "reply received, and when the last one was",
            Sample::Failure(Stage::Connect) => "could not connect",
            Sample::Failure(Stage::Send) => "could not send",
            Sample::Failure(Stage::Reply) => "wrong reply",
            Sample::Failure(Stage::ClosedEarly) => "closed early by the server",
            Sample::Failure(Stage::TimedOut) => "timed out",
        }
    }
}

/// The samples that the picture needs: only what occurs in it.
pub(super) fn legend(groups: &[Drawn<'_>], axis: &Axis) -> Vec<Sample> {
    let mut samples = Vec::new();
    if rows(groups).any(|(row, bars)| begins(row, bars, axis).is_some()) {
        samples.push(Sample::Before);
    }
    let occurs = |phase| rows(groups).any(|(_, bars)| bars.iter().any(|bar| bar.phase() == phase));
    samples.extend(Phase::ALL.into_iter().filter(|&phase| occurs(phase)).map(Sample::Bar));
    if rows(groups).any(|(row, _)| row.replies().next().is_some()) {
        samples.push(Sample::Reply { has_times: pitch(groups) >= PITCH_WITH_TIMES });
    }
    let fails = |stage| {
        rows(groups).any(|(row, _)| row.ending.failure().is_some_and(|it| it.stage == stage))
    };
    samples.extend(Stage::ALL.into_iter().filter(|&stage| fails(stage)).map(Sample::Failure));
    samples
}
