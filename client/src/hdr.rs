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

use load_generator::Event;
use load_generator::report::Latencies;

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
    pub(crate) fn begin(&mut self, comment: &str, is_open_loop: bool) -> io::Result<HdrLog<'_>> {
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
        let intervals = Default::default();
        Ok(HdrLog { path, log, began, line_began: began, intervals, is_open_loop })
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
    intervals: [Latencies; 3],
    /// In a closed loop both clocks are the same.
    is_open_loop: bool,
}

impl HdrLog<'_> {
    /// In the order of `intervals`.
    const TAGS: [&'static str; 3] = ["connect", "reply", "reply-since-due"];

    /// Records an event of a flood.
    ///
    /// # Errors
    ///
    /// If a line can't be written.
    pub(crate) fn watch(&mut self, event: &Event<'_>) -> io::Result<()> {
        let [connect, reply, since_due] = &mut self.intervals;
        match *event {
            Event::Connected { after, .. } => connect.record(after),
            Event::Answered { latency: Some(latency), .. } => {
                reply.record(latency.since_sent);
                since_due.record(latency.since_due);
            }
            Event::Unanswered { since_sent: sent, since_due: due, .. } => {
                sent.into_iter().for_each(|waited| reply.record_unanswered(waited));
                due.into_iter().for_each(|waited| since_due.record_unanswered(waited));
            }
            Event::Tick if self.line_began.elapsed() >= INTERVAL => return self.write_lines(),
            _ => {}
        }
        Ok(())
    }

    /// Writes the last lines, for the rest of the last interval.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.write_lines()
    }

    fn write_lines(&mut self) -> io::Result<()> {
        let since = self.line_began - self.began;
        let took = self.line_began.elapsed();
        let tags = if self.is_open_loop { &Self::TAGS[..] } else { &Self::TAGS[..2] };
        for (tag, latencies) in tags.iter().zip(&mut self.intervals) {
            if latencies.count() > 0 {
                let histogram = latencies.histogram();
                self.log.write_histogram(histogram, since, took, Tag::new(tag)).map_err(
                    |error| match error {
                        IntervalLogWriterError::IoError(error) => cannot_write(self.path, &error),
                        IntervalLogWriterError::SerializeError(error) => io::Error::other(error),
                    },
                )?;
                *latencies = Latencies::default();
            }
        }
        self.line_began += took;
        Ok(())
    }
}
