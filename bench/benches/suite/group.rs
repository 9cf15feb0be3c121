//! A group of benchmarks.

use criterion::measurement::WallTime;
use criterion::{AxisScale, Bencher, BenchmarkGroup, BenchmarkId, Criterion, PlotConfiguration};

/// A group that prints remarks at the end: what is left out of it, or not quite as it should be. If
/// the command line chose none of its benchmarks, it prints nothing.
pub struct Group<'a> {
    name: &'static str,
    pub criterion: BenchmarkGroup<'a, WallTime>,
    has_run: bool,
    remarks: Vec<String>,
}

impl<'a> Group<'a> {
    pub fn new(criterion: &'a mut Criterion, name: &'static str) -> Self {
        let mut criterion = criterion.benchmark_group(name);
        // One server may take ten thousand times as long as another.
        let scale = PlotConfiguration::default().summary_scale(AxisScale::Logarithmic);
        criterion.plot_config(scale);
        Group { name, criterion, has_run: false, remarks: Vec::new() }
    }

    /// Runs one benchmark, if it was chosen.
    pub fn bench(&mut self, id: BenchmarkId, mut bench: impl FnMut(&mut Bencher<'_>)) {
        self.criterion.bench_function(id, |bencher| {
            self.has_run = true;
            bench(bencher);
        });
    }

    /// Adds a remark, which is printed once at the end.
    pub fn remark(&mut self, sentence: String) {
        if !self.remarks.contains(&sentence) {
            self.remarks.push(sentence);
        }
    }

    /// Ends the group and prints the remarks.
    pub fn finish(self) {
        self.criterion.finish();
        if self.has_run {
            self.remarks.iter().for_each(|sentence| eprintln!("{}: {sentence}", self.name));
        }
    }
}
