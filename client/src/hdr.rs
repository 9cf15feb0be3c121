//! Latencies as an HdrHistogram log, a format that the plotters of hdrhistogram.org read.
//!
//! Each second of a flood adds one line of each kind: `connect`, `reply` (since the request was
//! sent), and in an open loop `reply-since-due`. Values are in nanoseconds.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogWriter, IntervalLogWriterBuilder, IntervalLogWriterError, Tag,
};

use load_generator::report::{Latencies, Report};

use crate::console::cannot_write;

/// The time that one line covers.
const INTERVAL: Duration = Duration::from_secs(1);

/// The third column of a line repeats the maximum, in milliseconds.
const MILLISECOND: f64 = 1e6;

/// A file for a log.
pub(crate) struct HdrFile {
    path: PathBuf,
    file: BufWriter<File>,
    serializer: V2DeflateSerializer,
}

impl HdrFile {
    /// Creates the file, or empties it.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let file = File::create(path).map_err(|error| cannot_write(path, &error))?;
        let serializer = V2DeflateSerializer::new();
        Ok(HdrFile { path: path.to_owned(), file: BufWriter::new(file), serializer })
    }

    /// Begins the log, whose clock starts now.
    pub(crate) fn begin(&mut self, comment: &str) -> io::Result<HdrLog<'_>> {
        let HdrFile { path, file, serializer } = self;
        let began = SystemTime::now();
        let log = IntervalLogWriterBuilder::new()
            .add_comment(comment)
            .add_comment("[Histogram log format version 1.3]")
            .with_start_time(began)
            .with_base_time(began)
            .with_max_value_divisor(MILLISECOND)
            .begin_log_with(file, serializer)
            .map_err(|error| cannot_write(path, &error))?;
        let began = Instant::now();
        Ok(HdrLog { path, log, began, line_began: began, logged: Default::default() })
    }

    /// Writes what is still buffered.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.file.flush().map_err(|error| cannot_write(&self.path, &error))
    }
}

/// A log that is being written.
pub(crate) struct HdrLog<'a> {
    path: &'a Path,
    log: IntervalLogWriter<'a, 'a, BufWriter<File>, V2DeflateSerializer>,
    began: Instant,
    line_began: Instant,
    /// What is written so far of each kind of line.
    logged: [Latencies; 3],
}

impl HdrLog<'_> {
    /// Writes lines for what the report has more than at the last call, if that was an interval ago.
    ///
    /// # Errors
    ///
    /// If a line can't be written.
    pub(crate) fn tick(&mut self, report: &Report) -> io::Result<()> {
        if self.line_began.elapsed() < INTERVAL { Ok(()) } else { self.write_lines(report) }
    }

    /// Writes the last lines, for the rest of the last interval.
    pub(crate) fn finish(mut self, report: &Report) -> io::Result<()> {
        self.write_lines(report)
    }

    fn write_lines(&mut self, report: &Report) -> io::Result<()> {
        let since = self.line_began - self.began;
        let took = self.line_began.elapsed();
        let tags = ["connect", "reply", "reply-since-due"];
        for ((tag, latencies), logged) in tags.iter().zip(report.latencies()).zip(&mut self.logged)
        {
            if latencies.count() == logged.count() {
                continue;
            }
            let mut new = latencies.histogram().clone();
            new.subtract(logged.histogram()).expect("a report never loses a latency");
            let written = self.log.write_histogram(&new, since, took, Tag::new(tag));
            written.map_err(|error| match error {
                IntervalLogWriterError::IoError(error) => cannot_write(self.path, &error),
                IntervalLogWriterError::SerializeError(error) => io::Error::other(error),
            })?;
            *logged = latencies.clone();
        }
        self.line_began += took;
        Ok(())
    }
}
