//! What came of a run, as text and as JSON.

use std::io;
use std::time::Duration;

use protocol::Protocol;
use serde::Serialize;

use super::plan::Plan;
use super::rest::{Sample, megabytes};
use super::wave::Wave;
use load_generator::json::{as_seconds, as_seconds_if_any};

/// What came of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The subject's name.
    pub server: String,
    /// What was to be done, with as many clients as this process has descriptors for.
    pub plan: Plan,
    /// How long it took.
    #[serde(rename = "took_s", serialize_with = "as_seconds")]
    pub took: Duration,
    /// How many waves were drawn and sent; those at the beginning and at the end, which are always
    /// the same, don't count.
    pub waves: u64,
    /// How many clients have come, in all waves together.
    pub clients: u64,
    /// How many requests were asked that are owed an answer.
    pub asked: u64,
    /// How many of them were answered, each exactly once.
    pub answered: u64,
    /// How many clients could not even begin, because this machine had no port or no descriptor
    /// left for them. That is no fault of the server.
    pub ours: u64,
    /// How often the server was stopped and let go on.
    pub stops: u64,
    /// How often descriptors were taken from it.
    pub squeezes: u64,
    /// What it had when it was started, before the first wave.
    pub fresh: Option<Sample>,
    /// What it had at each rest. The first comes after the first wave, the last after the last,
    /// which is the same wave.
    pub samples: Vec<Sample>,
    /// How long it took to end after Ctrl-C.
    #[serde(rename = "ended_after_s", serialize_with = "as_seconds_if_any")]
    pub ended_after: Option<Duration>,
    /// What was not tried and why, a sentence each.
    pub not_tried: Vec<String>,
    /// What went wrong, as sentences without their full stops; if it is nothing, the server has
    /// stood it.
    pub faults: Vec<String>,
    /// The wave in which something went wrong, if it was one that was drawn.
    pub failed_wave: Option<Wave>,
}

impl Outcome {
    pub(super) fn new(server: String, plan: &Plan) -> Self {
        Outcome {
            server,
            plan: plan.clone(),
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

    /// Whether the server has stood it.
    pub fn is_good(&self) -> bool {
        self.faults.is_empty()
    }

    /// The options that send again what has failed, as all who make such plans have them; `None`
    /// if nothing has failed, or nobody has come.
    pub fn again(&self) -> Option<String> {
        if self.is_good() || self.clients == 0 {
            return None;
        }
        let Plan { time, seed, wave, connections, protocol, .. } = self.plan;
        let mut options = format!("--seed {seed}");
        let failed_wave = self.failed_wave.as_ref().map(|wave| wave.number);
        if let Some(number) = failed_wave.or(wave) {
            options += &format!(" --wave {number}");
        }
        // A wave comes again and again; what adds up takes as long as it has taken.
        if failed_wave.is_none() && time != Plan::default().time {
            options += &format!(" --time {}", typed(time));
        }
        if connections != Plan::default().connections {
            options += &format!(" --connections {connections}");
        }
        if protocol != Protocol::default() {
            options += &format!(" --protocol {protocol}");
        }
        Some(options)
    }

    /// The outcome as one JSON object in one line. Units stand in the names.
    ///
    /// # Errors
    ///
    /// None that is known of.
    pub fn json(&self) -> io::Result<String> {
        #[derive(Serialize)]
        struct Object<'a> {
            good: bool,
            #[serde(flatten)]
            outcome: &'a Outcome,
        }
        Ok(serde_json::to_string(&Object { good: self.is_good(), outcome: self })?)
    }

    /// What a person reads, without a line's end at its end.
    pub fn text(&self) -> String {
        let mut lines = vec![self.headline()];
        lines.extend(self.ordeals());
        lines.extend(self.memory());
        lines.extend(self.descriptors());
        lines.extend(self.end());
        lines.extend(self.lack_of_ports());
        lines.extend(self.not_tried.iter().map(|sentence| format!("Not tried: {sentence}.")));
        match &self.faults[..] {
            [] => lines.push("The server has stood it.".into()),
            faults => {
                lines.push(match self.clients {
                    0 => "\nIt did not come to that:".into(),
                    _ => "\nThe server has not stood it:".into(),
                });
                lines.extend(faults.iter().map(|fault| format!("- {fault}")));
            }
        }
        lines.join("\n")
    }

    fn headline(&self) -> String {
        let Outcome { plan, took, waves, clients, asked, answered, .. } = self;
        let waves = counted(*waves, "wave");
        let answers = match answered == asked {
            true if *asked == 0 => "nothing was asked".into(),
            true => format!("all {asked} requests were answered, each exactly once"),
            false => format!("{answered} of {asked} requests were answered"),
        };
        format!("seed {}: {waves} in {took:.1?}, {clients} clients, {answers}", plan.seed)
    }

    fn ordeals(&self) -> Option<String> {
        let Outcome { stops, squeezes, .. } = *self;
        let stopped = format!("stopped and let go on {}", counted(stops, "time"));
        let squeezed = format!("left nearly without descriptors {}", counted(squeezes, "time"));
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
            "memory at rest: {} after the first wave, {} after the last, never more than {} ({})",
            megabytes(first.memory),
            megabytes(last.memory),
            megabytes(most),
            counted(self.samples.len() as u64, "look")
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
                "{} could not come, because this machine had no port or no descriptor left: no \
                 fault of the server",
                counted(self.ours, "client")
            )
        })
    }
}

/// A time as it is typed, in one word.
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
    fn what_is_sent_again_is_what_has_failed() {
        let plan = Plan { seed: 7, time: Duration::from_secs(90), ..Plan::default() };
        let again = |plan: &Plan, failed_wave: Option<u64>| {
            let mut outcome = Outcome::new("server".into(), plan);
            outcome.clients = 1;
            outcome.failed_wave = failed_wave.map(|number| Wave::draw(plan, number));
            outcome.faults.push("it is wrong".into());
            outcome.again().unwrap()
        };
        assert_eq!(again(&plan, Some(3)), "--seed 7 --wave 3");
        assert_eq!(again(&plan, None), "--seed 7 --time 1m30s", "what adds up takes its time");
        let one_wave = Plan { wave: Some(5), connections: 9, ..plan };
        assert_eq!(again(&one_wave, None), "--seed 7 --wave 5 --time 1m30s --connections 9");
        assert_eq!(Outcome::new("server".into(), &one_wave).again(), None, "nothing is wrong");
    }
}
