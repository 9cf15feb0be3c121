//! The results of a run, as text and as JSON.

use std::io;
use std::time::Duration;

use serde::Serialize;

use super::rest::{Sample, megabytes};
use super::scenario::Scenario;
use super::wave::Wave;
use load_generator::json::{as_seconds, as_seconds_if_any, judged};

/// The results of a run.
#[derive(Clone, Debug, Default, Serialize)]
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
    pub requests: u64,
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
        let usual = Scenario::default();
        let Scenario { time, seed, wave, connections, protocol, .. } = self.scenario;
        let failed_wave = self.failed_wave.as_ref().map(|wave| wave.number);
        // A single wave is repeated until it fails; an effect that adds up takes as long as it
        // took.
        let has_time = failed_wave.is_none() && time != usual.time;
        let options = [
            Some(format!("--seed {seed}")),
            failed_wave.or(wave).map(|number| format!("--wave {number}")),
            has_time.then(|| format!("--time {}", typed(time))),
            (connections != usual.connections).then(|| format!("--connections {connections}")),
            (protocol != usual.protocol).then(|| format!("--protocol {protocol}")),
        ];
        Some(options.into_iter().flatten().collect::<Vec<_>>().join(" "))
    }

    /// The report as one JSON object in one line. Units are in the names.
    ///
    /// # Errors
    ///
    /// None that we know of.
    pub fn json(&self) -> io::Result<String> {
        judged(self.is_good(), self)
    }

    /// The report as text, without a newline at the end.
    pub fn text(&self) -> String {
        let ChaosReport { stops, squeezes, ours, .. } = *self;
        let stopped = || format!("stopped and resumed {}", counted(stops, "time"));
        let squeezed = || format!("short of descriptors {}", counted(squeezes, "time"));
        let mut lines = vec![self.headline()];
        lines.extend(match (stops, squeezes) {
            (0, 0) => None,
            (_, 0) => Some(stopped()),
            (0, _) => Some(squeezed()),
            _ => Some(format!("{}, {}", stopped(), squeezed())),
        });
        lines.extend(self.rests());
        lines
            .extend(self.ended_after.map(|after| {
                format!("ended {} ms after Ctrl-C, with status 0", after.as_millis())
            }));
        if ours > 0 {
            lines.push(format!(
                "{} could not connect because this machine had no port or descriptor left, which \
                 isn't the server's fault",
                counted(ours, "client")
            ));
        }
        lines.extend(self.not_tried.iter().map(|sentence| format!("Not tried: {sentence}.")));
        let verdict = match self.clients {
            _ if self.is_good() => "The server survived.",
            0 => "\nThe server could not be tried:",
            _ => "\nThe server did not survive:",
        };
        lines.push(verdict.into());
        lines.extend(self.faults.iter().map(|fault| format!("- {fault}")));
        lines.join("\n")
    }

    fn headline(&self) -> String {
        let ChaosReport { scenario, took, waves, clients, requests, answered, .. } = self;
        let waves = counted(*waves, "wave");
        let answers = match answered == requests {
            true if *requests == 0 => "no requests were sent".into(),
            true => format!("all {requests} requests were answered, each exactly once"),
            false => format!("{answered} of {requests} requests were answered"),
        };
        format!("seed {}: {waves} in {took:.1?}, {clients} clients, {answers}", scenario.seed)
    }

    /// What the server used when no client was connected, if the system can say.
    fn rests(&self) -> Option<String> {
        let (fresh, first, last) = (self.fresh?, self.samples.first()?, self.samples.last()?);
        let most = self.samples.iter().map(|sample| sample.memory).max()?;
        let [after_first, after_last, most] = [first.memory, last.memory, most].map(megabytes);
        let samples = counted(self.samples.len() as u64, "sample");
        Some(format!(
            "memory at rest: {after_first} after the first wave, {after_last} after the last, at \
             most {most} ({samples})\n\
             descriptors at rest: {} at the start, {} after the first wave, {} after the last",
            fresh.descriptors, first.descriptors, last.descriptors
        ))
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
            let report = ChaosReport {
                scenario: scenario.clone(),
                clients: 1,
                failed_wave: failed_wave.map(|number| Wave::draw(scenario, number)),
                faults: vec!["it is wrong".into()],
                ..ChaosReport::default()
            };
            report.again().unwrap()
        };
        assert_eq!(again(&scenario, Some(3)), "--seed 7 --wave 3");
        assert_eq!(again(&scenario, None), "--seed 7 --time 1m30s", "what adds up takes its time");
        let one_wave = Scenario { wave: Some(5), connections: 9, ..scenario };
        assert_eq!(again(&one_wave, None), "--seed 7 --wave 5 --time 1m30s --connections 9");
        let good = ChaosReport { scenario: one_wave, clients: 1, ..ChaosReport::default() };
        assert_eq!(good.again(), None, "nothing is wrong");
    }
}
