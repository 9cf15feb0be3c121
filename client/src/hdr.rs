//! Latencies as an HdrHistogram log, which the plotters of hdrhistogram.org read.
//!
//! Each second of a flood makes a line of each kind: `connect`, `reply` (from when a request
//! was sent), and in an open loop `reply-since-due`. Values are nanoseconds.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogWriter, IntervalLogWriterBuilder, IntervalLogWriterError, Tag,
};

use load_generator::Happening;
use load_generator::report::Latencies;

use crate::console::cannot_write;

/// How much time a line stands for.
const INTERVAL: Duration = Duration::from_secs(1);

/// The maximum stands in the third column of a line, too, in milliseconds.
const MILLISECOND: f64 = 1e6;

/// A file that is to become a log.
pub(crate) struct HdrFile {
    path: PathBuf,
    file: BufWriter<File>,
    serializer: V2DeflateSerializer,
}

impl HdrFile {
    /// Makes the file, or empties it.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let file = File::create(path).map_err(|error| cannot_write(path, &error))?;
        let serializer = V2DeflateSerializer::new();
        Ok(HdrFile { path: path.to_owned(), file: BufWriter::new(file), serializer })
    }

    /// Begins the log: its clock starts now.
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

    /// Writes what is still to be written.
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
    /// Only then two clocks differ.
    is_open_loop: bool,
}

impl HdrLog<'_> {
    /// In the order of `intervals`.
    const TAGS: [&'static str; 3] = ["connect", "reply", "reply-since-due"];

    /// Takes what a flood tells.
    ///
    /// # Errors
    ///
    /// If a line can't be written.
    pub(crate) fn watch(&mut self, happening: &Happening<'_>) -> io::Result<()> {
        let [connect, reply, since_due] = &mut self.intervals;
        match *happening {
            Happening::Connected { after, .. } => connect.record(after),
            Happening::Answered { latency: Some(latency), .. } => {
                reply.record(latency.since_sent);
                since_due.record(latency.since_due);
            }
            Happening::Unanswered { since_sent: sent, since_due: due, .. } => {
                sent.into_iter().for_each(|waited| reply.record_unanswered(waited));
                due.into_iter().for_each(|waited| since_due.record_unanswered(waited));
            }
            Happening::Tick if self.line_began.elapsed() >= INTERVAL => return self.write_lines(),
            _ => {}
        }
        Ok(())
    }

    /// Writes the last lines, for what is left of the last interval.
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
                latencies.clear();
            }
        }
        self.line_began += took;
        Ok(())
    }
}
