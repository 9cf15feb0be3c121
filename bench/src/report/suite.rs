//! Runs the criterion suite, and reads its figures.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Interval;

/// What criterion estimated for one benchmark.
#[derive(Clone, Debug, Serialize)]
pub struct Estimate {
    /// Such as `slow_clients`.
    pub group: String,
    /// The server or the way to wait; empty if the group has only one.
    pub function: String,
    /// Such as the number of clients; empty if there is none.
    pub parameter: String,
    /// The time for one element (for example a request), or for one iteration if the benchmark
    /// doesn't say how many elements it has; the bounds are criterion's.
    pub nanoseconds: Interval,
    /// How many bytes are processed in that time, if the benchmark says so.
    pub bytes: Option<f64>,
    /// The number of samples.
    pub samples: usize,
}

/// Runs the suite, shows its progress on standard error, and reads the results, which it keeps in
/// this folder. What was in the folder is removed first.
///
/// # Errors
///
/// If cargo or the suite fails, and those of [`read`].
pub(super) fn run(folder: &Path, quick: bool) -> io::Result<Vec<Estimate>> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(&cargo)
        .args(arguments(quick))
        .current_dir(super::WORKSPACE)
        .env("CRITERION_HOME", folder)
        .stdout(Stdio::from(io::stderr()))
        .status()
        .map_err(|error| {
            let what = format!(
                "can't run {}: {error}; `--from FOLDER` reads figures of an earlier run",
                cargo.display()
            );
            io::Error::new(error.kind(), what)
        })?;
    if !status.success() {
        return Err(io::Error::other(format!("the suite (`{}`) failed: {status}", command(quick))));
    }
    read(folder)
}

/// The command that runs the suite, for people.
pub(super) fn command(quick: bool) -> String {
    format!("cargo {}", arguments(quick).join(" "))
}

fn arguments(quick: bool) -> &'static [&'static str] {
    if quick { &["bench", "-p", "bench", "--", "--quick"] } else { &["bench", "-p", "bench"] }
}

/// Reads the newest run of every benchmark below a folder, in criterion's format.
///
/// # Errors
///
/// If there is none, or a file can't be read or isn't in the format of criterion 0.8.
pub(super) fn read(folder: &Path) -> io::Result<Vec<Estimate>> {
    let mut runs = Vec::new();
    find_runs(folder, &mut runs)?;
    if runs.is_empty() {
        let folder = folder.display();
        let what =
            format!("{folder} has no criterion figures in it; leave `--from` out to measure them");
        return Err(io::Error::new(io::ErrorKind::NotFound, what));
    }
    runs.sort();
    runs.iter().map(|run| estimate(run)).collect()
}

/// The folders called `new` that contain a finished run. (The description is written last.)
fn find_runs(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let entries = fs::read_dir(folder).map_err(|error| at(folder, error))?;
    for entry in entries {
        let path = entry?.path();
        if path.ends_with("new") && path.join(DESCRIPTION).is_file() {
            found.push(path);
        } else if path.is_dir() {
            find_runs(&path, found)?;
        }
    }
    Ok(())
}

const DESCRIPTION: &str = "benchmark.json";

/// `benchmark.json`, as far as it is needed here.
#[derive(Deserialize)]
struct Description {
    group_id: String,
    function_id: Option<String>,
    value_str: Option<String>,
    throughput: Option<Throughput>,
}

/// What a benchmark counts in an iteration: `{"Elements": 100}`, or bytes too.
#[derive(Deserialize)]
enum Throughput {
    Elements(u64),
    ElementsAndBytes { elements: u64, bytes: u64 },
}

/// `estimates.json`, as far as it is needed here.
#[derive(Deserialize)]
struct Estimates {
    median: Median,
}

#[derive(Deserialize)]
struct Median {
    point_estimate: f64,
    confidence_interval: Bounds,
}

#[derive(Deserialize)]
struct Bounds {
    lower_bound: f64,
    upper_bound: f64,
}

/// `sample.json`, as far as it is needed here.
#[derive(Deserialize)]
struct Sample {
    times: Vec<f64>,
}

fn estimate(run: &Path) -> io::Result<Estimate> {
    let description: Description = json(&run.join(DESCRIPTION))?;
    let Estimates { median } = json(&run.join("estimates.json"))?;
    let Sample { times } = json(&run.join("sample.json"))?;
    let (elements, bytes) = match description.throughput {
        None => (1.0, None),
        Some(Throughput::Elements(elements)) => (elements as f64, None),
        Some(Throughput::ElementsAndBytes { elements, bytes }) => {
            (elements as f64, Some(bytes as f64 / elements as f64))
        }
    };
    Ok(Estimate {
        group: description.group_id,
        function: description.function_id.unwrap_or_default(),
        parameter: description.value_str.unwrap_or_default(),
        nanoseconds: Interval {
            low: median.confidence_interval.lower_bound / elements,
            median: median.point_estimate / elements,
            high: median.confidence_interval.upper_bound / elements,
        },
        bytes,
        samples: times.len(),
    })
}

fn json<T: DeserializeOwned>(path: &Path) -> io::Result<T> {
    let text = fs::read_to_string(path).map_err(|error| at(path, error))?;
    serde_json::from_str(&text).map_err(|error| {
        let what = format!("not in the format of criterion 0.8: {error}");
        at(path, io::Error::new(io::ErrorKind::InvalidData, what))
    })
}

/// Adds the file or folder that an error is about.
fn at(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Writes a benchmark in the format of criterion 0.8.
    fn leave(folder: &Path, name: &str, description: Value, median: f64) {
        let folder = folder.join(name).join("new");
        fs::create_dir_all(&folder).unwrap();
        let bounds = json!({
            "confidence_level": 0.95, "lower_bound": median - 4.0, "upper_bound": median + 8.0,
        });
        let estimate = json!({ "confidence_interval": bounds, "point_estimate": median, "standard_error": 1.0 });
        let estimates = json!({ "mean": estimate, "median": estimate, "slope": null });
        let sample =
            json!({ "sampling_mode": "Flat", "iters": [1.0, 1.0], "times": [median, median] });
        for (file, content) in
            [(DESCRIPTION, description), ("estimates.json", estimates), ("sample.json", sample)]
        {
            fs::write(folder.join(file), content.to_string()).unwrap();
        }
    }

    #[test]
    fn every_benchmark_below_the_folder_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let plain = json!({
            "group_id": "slow_clients", "function_id": "thread-server --pool 4", "value_str": "8",
            "throughput": null, "full_id": "", "directory_name": "", "title": "",
        });
        leave(folder.path(), "slow_clients/thread-server --pool 4/8", plain, 100.0);
        let shared = json!({
            "group_id": "protocol", "function_id": "64 in one piece", "value_str": null,
            "throughput": { "ElementsAndBytes": { "elements": 4, "bytes": 120 } },
        });
        leave(folder.path(), "protocol/64 in one piece", shared, 400.0);
        let elements = json!({
            "group_id": "wait_cost", "function_id": null, "value_str": "10",
            "throughput": { "Elements": 2 },
        });
        leave(folder.path(), "wait_cost/10", elements, 40.0);
        fs::create_dir_all(folder.path().join("slow_clients/report")).unwrap();

        let [protocol, slow, wait] = &read(folder.path()).unwrap()[..] else { panic!("three") };
        assert_eq!((&*slow.group, &*slow.function), ("slow_clients", "thread-server --pool 4"));
        assert_eq!((&*slow.parameter, slow.samples, slow.bytes), ("8", 2, None));
        assert_eq!(slow.nanoseconds, Interval { low: 96.0, median: 100.0, high: 108.0 });
        assert_eq!((protocol.nanoseconds.median, protocol.bytes), (100.0, Some(30.0)));
        assert_eq!((&*wait.function, wait.nanoseconds.high), ("", 24.0));
    }

    #[test]
    fn missing_figures_and_other_formats_are_reported() {
        let folder = tempfile::tempdir().unwrap();
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("no criterion figures"), "{error}");
        let error = read(&folder.path().join("elsewhere")).unwrap_err().to_string();
        assert!(error.contains("elsewhere"), "{error}");
        let other = json!({ "group_id": 7 });
        leave(folder.path(), "some", other, 1.0);
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("benchmark.json") && error.contains("criterion 0.8"), "{error}");
    }
}
