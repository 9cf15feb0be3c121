//! The results of a run, as text and as JSON.

use std::io;
use std::time::Duration;

use protocol::Protocol;
use serde::Serialize;

use super::rest::{Sample, megabytes};
use super::scenario::Scenario;
use super::wave::Wave;
use load_generator::json::{as_seconds, as_seconds_if_any};

/// The results of a run.
#[derive(Clone, Debug, Serialize)]
pub struct ChaosReport {
    /// The server's name.
    pub server: String,
    /// The scenario, with no more clients than this process has descriptors for.
    pub scenario: Scenario,
    /// How long the run took.
    #[serde(rename = "took_s", serialize_with = "as_seconds")]
    pub took: Duration,
    /// How many random waves were sent. The first and the last wave, which are always the same,
    /// don't count.
    pub waves: u64,
    /// How many clients there were in all waves together.
    pub clients: u64,
    /// How many requests were sent that need a reply.
    pub asked: u64,
    /// How many of them were answered, each exactly once.
    pub answered: u64,
    /// How many clients could not even try to connect, because this machine had no port or
    /// descriptor left for them. That isn't the server's fault.
    pub ours: u64,
    /// How often the server was stopped and resumed.
    pub stops: u64,
    /// How often descriptors were taken from it.
    pub squeezes: u64,
    /// What it used after its start, before the first wave.
    pub fresh: Option<Sample>,
    /// What it used at each rest. The first sample is taken after the first wave and the last one
    /// after the last wave, which is the same.
    pub samples: Vec<Sample>,
    /// How long it took to end after Ctrl-C.
    #[serde(rename = "ended_after_s", serialize_with = "as_seconds_if_any")]
    pub ended_after: Option<Duration>,
    /// What was not tried and why, in one sentence each.
    pub not_tried: Vec<String>,
    /// What went wrong, as sentences without their full stops. If there are none, the server
    /// survived.
    pub faults: Vec<String>,
    /// The wave in which something went wrong, if it was a random one.
    pub failed_wave: Option<Wave>,
}

impl ChaosReport {
    pub(super) fn new(server: String, scenario: &Scenario) -> Self {
        ChaosReport {
            server,
            scenario: scenario.clone(),
            took: Duration::ZERO,
            waves: 0,
            clients: 0,
            asked: 0,
            answered: 0,
            ours: 0,
            stops: 0,
            squeezes: 0,
            fresh: None,
            samples: Vec::new(),
            ended_after: None,
            not_tried: Vec::new(),
            faults: Vec::new(),
            failed_wave: None,
        }
    }

    /// Whether the server survived.
    pub fn is_good(&self) -> bool {
        self.faults.is_empty()
    }

    /// The options that repeat what has failed, which all programs with such scenarios share;
    /// `None` if nothing has failed, or no client came.
    pub fn again(&self) -> Option<String> {
        if self.is_good() || self.clients == 0 {
            return None;
        }
        let Scenario { time, seed, wave, connections, protocol, .. } = self.scenario;
        let mut options = format!("--seed {seed}");
        let failed_wave = self.failed_wave.as_ref().map(|wave| wave.number);
        if let Some(number) = failed_wave.or(wave) {
            options += &format!(" --wave {number}");
        }
        // A single wave is repeated until it fails; an effect that adds up takes as long as it
        // took.
        if failed_wave.is_none() && time != Scenario::default().time {
            options += &format!(" --time {}", typed(time));
        }
        if connections != Scenario::default().connections {
            options += &format!(" --connections {connections}");
        }
        if protocol != Protocol::default() {
            options += &format!(" --protocol {protocol}");
        }
        Some(options)
    }

    /// The report as one JSON object in one line. Units are in the names.
    ///
    /// # Errors
    ///
    /// None that we know of.
    pub fn json(&self) -> io::Result<String> {
        #[derive(Serialize)]
        struct Object<'a> {
            good: bool,
            #[serde(flatten)]
            report: &'a ChaosReport,
        }
        Ok(serde_json::to_string(&Object { good: self.is_good(), report: self })?)
    }

    /// The report as text, without a newline at the end.
    pub fn text(&self) -> String {
        let mut lines = vec![self.headline()];
        lines.extend(self.ordeals());
        lines.extend(self.memory());
        lines.extend(self.descriptors());
        lines.extend(self.end());
        lines.extend(self.lack_of_ports());
        lines.extend(self.not_tried.iter().map(|sentence| format!("Not tried: {sentence}.")));
        match &self.faults[..] {
            [] => lines.push("The server survived.".into()),
            faults => {
                lines.push(match self.clients {
                    0 => "\nThe server could not be tried:".into(),
                    _ => "\nThe server did not survive:".into(),
                });
                lines.extend(faults.iter().map(|fault| format!("- {fault}")));
            }
        }
        lines.join("\n")
    }

    fn headline(&self) -> String {
        let ChaosReport { scenario, took, waves, clients, asked, answered, .. } = self;
        let waves = counted(*waves, "wave");
        let answers = match answered == asked {
            true if *asked == 0 => "no requests were sent".into(),
            true => format!("all {asked} requests were answered, each exactly once"),
            false => format!("{answered} of {asked} requests were answered"),
        };
        format!("seed {}: {waves} in {took:.1?}, {clients} clients, {answers}", scenario.seed)
    }

    fn ordeals(&self) -> Option<String> {
        let ChaosReport { stops, squeezes, .. } = *self;
        let stopped = format!("stopped and resumed {}", counted(stops, "time"));
        let squeezed = format!("short of descriptors {}", counted(squeezes, "time"));
        match (stops, squeezes) {
            (0, 0) => None,
            (_, 0) => Some(stopped),
            (0, _) => Some(squeezed),
            _ => Some(format!("{stopped}, {squeezed}")),
        }
    }

    fn memory(&self) -> Option<String> {
        let (first, last) = (self.samples.first()?, self.samples.last()?);
        let most = self.samples.iter().map(|sample| sample.memory).max()?;
        Some(format!(
            "memory at rest: {} after the first wave, {} after the last, at most {} ({})",
            megabytes(first.memory),
            megabytes(last.memory),
            megabytes(most),
            counted(self.samples.len() as u64, "sample")
        ))
    }

    fn descriptors(&self) -> Option<String> {
        let (fresh, first, last) = (self.fresh?, self.samples.first()?, self.samples.last()?);
        Some(format!(
            "descriptors at rest: {} at the start, {} after the first wave, {} after the last",
            fresh.descriptors, first.descriptors, last.descriptors
        ))
    }

    fn end(&self) -> Option<String> {
        let after = self.ended_after?.as_millis();
        Some(format!("ended {after} ms after Ctrl-C, with status 0"))
    }

    fn lack_of_ports(&self) -> Option<String> {
        (self.ours > 0).then(|| {
            format!(
                "{} could not connect because this machine had no port or descriptor left, which \
                 isn't the server's fault",
                counted(self.ours, "client")
            )
        })
    }
}

/// A time as you type it, in one word.
pub fn typed(time: Duration) -> String {
    humantime::format_duration(time).to_string().replace(' ', "")
}

/// As in "1 wave" and "2 waves".
fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_what_is_repeated() {
        let scenario = Scenario { seed: 7, time: Duration::from_secs(90), ..Scenario::default() };
        let again = |scenario: &Scenario, failed_wave: Option<u64>| {
            let mut report = ChaosReport::new("server".into(), scenario);
            report.clients = 1;
            report.failed_wave = failed_wave.map(|number| Wave::draw(scenario, number));
            report.faults.push("it is wrong".into());
            report.again().unwrap()
        };
        assert_eq!(again(&scenario, Some(3)), "--seed 7 --wave 3");
        assert_eq!(again(&scenario, None), "--seed 7 --time 1m30s", "what adds up takes its time");
        let one_wave = Scenario { wave: Some(5), connections: 9, ..scenario };
        assert_eq!(again(&one_wave, None), "--seed 7 --wave 5 --time 1m30s --connections 9");
        assert_eq!(ChaosReport::new("server".into(), &one_wave).again(), None, "nothing is wrong");
    }
}
