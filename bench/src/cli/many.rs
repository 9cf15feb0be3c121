//! As many connections as there can be: `many`.

use std::env;
use std::io;

use clap::Args;
use protocol::Protocol;
use serde::Serialize;
use server_kit::whole_number;

use super::{Choice, print, progress_bar, refuse};
use crate::many::{self, Measured, Plan};

/// Hold as many connections as there can be: who is slower for them, and what each costs in memory
#[derive(Args, Debug)]
#[command(
    allow_negative_numbers = true,
    after_help = "\
Examples:
  cargo run --release -p bench -- many
  cargo run --release -p bench -- many --all --connections 19000
  cargo run --release -p bench -- many --server prefork-server --connections 38000
  cargo run --release -p bench -- many --server 'thread-server --max-threads 10000'

Exit status: 0 if every connection was held, and answered each time that it asked, 1 if not,
2 if the command line is wrong."
)]
pub(super) struct Options {
    #[command(flatten)]
    choice: Choice,

    /// How many connections are held at each server [default: as many as the limit of descriptors
    /// allows, less 1000; at most as many as one address has ports, 28000 on Linux]
    #[arg(long, value_name = "N", value_parser = whole_number(1..=u32::MAX))]
    connections: Option<u32>,

    /// From how many addresses of this machine they come, 127.0.0.2, 127.0.0.3 and so on; on Linux
    /// only [default: one for each 14000 connections]
    #[arg(long, value_name = "N", value_parser = whole_number(1..=many::MOST_SOURCES))]
    sources: Option<u8>,

    /// Print one JSON object instead of the table
    #[arg(long)]
    json: bool,
}

impl Options {
    /// Returns whether every connection was held and answered.
    pub(super) fn run(self) -> io::Result<bool> {
        let (models, mut left_out) = self.choice.sort_out(Protocol::Lines);
        let limit = usize::try_from(system::raise_descriptor_limit()?).unwrap_or(usize::MAX);
        let asked = self.connections.map(|count| count as usize);
        let connections = asked.unwrap_or_else(|| many::most_connections(limit));
        let sources = self.sources.map(usize::from);
        let mut plan = Plan { models, connections, sources, limit };
        plan.check().unwrap_or_else(|why| refuse(why));
        left_out.extend(plan.leave_out_the_unfit().iter().map(ToString::to_string));
        if plan.models.is_empty() {
            return Err(io::Error::other(left_out.join("\nbench: ")));
        }
        let progress = progress_bar("connections, {msg}");
        let measured = many::measure(&plan, &env::current_exe()?, &progress);
        progress.finish_and_clear();
        let measured = measured?;
        let mut sentences = many::findings(&measured);
        sentences.extend(left_out);
        let text = match self.json {
            true => json_object(&plan, &measured, &sentences)?,
            false => human_text(&plan, &measured, &sentences),
        };
        print(text)?;
        Ok(measured.servers.iter().all(many::Row::is_good))
    }
}

fn human_text(plan: &Plan, measured: &Measured, sentences: &[String]) -> String {
    let (introduction, table) = (many::introduction(plan), many::table(&measured.servers));
    let mut text = format!("{introduction}\n\n{table}\n");
    for sentence in sentences {
        text += &format!("\n{sentence}");
    }
    text.trim_end().to_owned()
}

fn json_object(plan: &Plan, measured: &Measured, findings: &[String]) -> io::Result<String> {
    #[derive(Serialize)]
    struct Object<'a> {
        connections: usize,
        #[serde(flatten)]
        measured: &'a Measured,
        findings: &'a [String],
    }
    let object = Object { connections: plan.connections, measured, findings };
    Ok(serde_json::to_string(&object)?)
}
