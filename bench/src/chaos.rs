//! Chaos at every server: random crowds, stops and missing descriptors, by `chaos`, as far
//! as its model can stand them.

use std::io;
use std::path::Path;

use chaos::{Outcome, Plan, Progress, run};

use crate::Model;
use crate::figures::Quantity;
use crate::matrix::target;
use crate::table::aligned;

/// How long the accept queues of our servers are, unless asked otherwise.
const BACKLOG: usize = 1024;

/// The plan for a server of this model: without what a server of its kind can't stand, however
/// well it is written.
pub fn plan_for(model: Model, plan: &Plan) -> Plan {
    Plan {
        backlog: if model.is_peer { plan.backlog } else { BACKLOG },
        at_once: (model.serves_at_once < usize::MAX).then_some(model.serves_at_once),
        pressure: plan.pressure && model.needs_descriptors.is_none(),
        ctrl_c: plan.ctrl_c && model.can_keep("ctrl-c"),
        ..plan.clone()
    }
}

/// Lets chaos loose on a server of this model, in a process of its own; `program` is the binary
/// of this package.
///
/// # Errors
///
/// If the path of the program is not text.
pub fn chaos(
    model: Model,
    plan: &Plan,
    program: &Path,
    progress: &dyn Fn(Progress),
) -> io::Result<Outcome> {
    let target = target(model, plan.protocol, program)?;
    Ok(run(&target, &plan_for(model, plan), progress))
}

/// The outcomes as a table, with a line below for whatever went wrong or was not tried.
pub fn text(outcomes: &[Outcome]) -> String {
    let columns = [
        "server",
        "waves",
        "clients",
        "answered",
        "stops",
        "squeezes",
        "memory",
        "descriptors",
        "ended after",
    ];
    let mut text = aligned(columns.to_vec(), outcomes.iter().map(cells));
    for outcome in outcomes {
        for fault in &outcome.faults {
            text += &format!("\n{}: {fault}", outcome.server);
        }
        for what in &outcome.not_tried {
            text += &format!("\n{}: not tried: {what}", outcome.server);
        }
        if let Some(again) = outcome.again() {
            text += &format!(
                "\nTo send it again: cargo run --release -p bench -- chaos {again} --server '{}'",
                outcome.server
            );
        }
    }
    text
}

/// What these servers are spared and why, a sentence each.
pub fn spared(models: &[Model]) -> Vec<String> {
    let of_model = |model: &Model| {
        let Model { label, .. } = *model;
        let reason = |check| model.limit(check).map_or("", |limit| limit.reason);
        let few = (model.serves_at_once < usize::MAX).then(|| {
            let reason = reason("silent-neighbour");
            format!("Nobody is silent or deaf at {label}, and few come at once: {reason}.")
        });
        let pressure = model
            .needs_descriptors
            .map(|reason| format!("{label} is left its descriptors: {reason}."));
        let ctrl_c = (!model.can_keep("ctrl-c"))
            .then(|| format!("{label} is not ended by Ctrl-C: {}.", reason("ctrl-c")));
        [few, pressure, ctrl_c].into_iter().flatten().collect::<Vec<_>>()
    };
    models.iter().flat_map(of_model).collect()
}

fn cells(outcome: &Outcome) -> Vec<String> {
    let (first, last) = (outcome.samples.first(), outcome.samples.last());
    let both = first.zip(last);
    let unknown = || "unknown".to_owned();
    let answered = if outcome.answered == outcome.asked {
        outcome.answered.to_string()
    } else {
        format!("{} of {}", outcome.answered, outcome.asked)
    };
    vec![
        outcome.server.clone(),
        outcome.waves.to_string(),
        outcome.clients.to_string(),
        answered,
        outcome.stops.to_string(),
        outcome.squeezes.to_string(),
        both.map_or_else(unknown, |(first, last)| {
            let [first, last] =
                [first, last].map(|sample| Quantity::Memory.told(sample.memory as f64));
            format!("{first} → {last}")
        }),
        both.map_or_else(unknown, |(first, last)| {
            format!("{} → {}", first.descriptors, last.descriptors)
        }),
        match outcome.ended_after {
            Some(after) => format!("{} ms", after.as_millis()),
            None => "-".into(),
        },
    ]
}
