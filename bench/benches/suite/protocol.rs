//! `protocol`: the state machine alone.

use criterion::Criterion;

pub fn benches(_criterion: &mut Criterion) {}
