//! `many`: as many connections as possible.

use std::env;
use std::io;

use clap::Args;
use output::{FormatOptions, print};
use protocol::Protocol;
use serde::Serialize;
use server_kit::whole_number;

use super::{Choice, progress_bar, refuse};
use crate::many::{self, ManyPlan, Measured};

/// Hold as many connections as possible at each server, and measure latency and memory
#[derive(Args, Debug)]
#[command(
    allow_negative_numbers = true,
    after_help = "\
Examples:
  cargo run --release -p bench -- many
  cargo run --release -p bench -- many --all --connections 19000
  cargo run --release -p bench -- many --server prefork-server --connections 38000
  cargo run --release -p bench -- many --server 'thread-server --max-threads 10000'

Exit status: 0 if every connection was held and got all its replies, 1 if not,
2 if the command line is wrong."
)]
pub(super) struct Options {
    #[command(flatten)]
    choice: Choice,

    /// Hold this many connections at each server [default: the limit of descriptors minus 1000, but
    /// at most the ports of one address, 28000 on Linux]
    #[arg(long, value_name = "N", value_parser = whole_number(1..=u32::MAX))]
    connections: Option<u32>,

    /// Connect from this many addresses of this machine: 127.0.0.2, 127.0.0.3 and so on; Linux only
    /// [default: one per 14000 connections]
    #[arg(long, value_name = "N", value_parser = whole_number(1..=many::MOST_SOURCES))]
    sources: Option<u8>,

    #[command(flatten)]
    format: FormatOptions,
}

impl Options {
    /// Returns whether every connection was held and got all its replies.
    pub(super) fn run(self) -> io::Result<bool> {
        let (models, mut left_out) = self.choice.sort_out(Protocol::Lines);
        let limit = usize::try_from(system::raise_descriptor_limit()?).unwrap_or(usize::MAX);
        let wanted = self.connections.map(|count| count as usize);
        let connections = wanted.unwrap_or_else(|| many::most_connections(limit));
        let sources = self.sources.map(usize::from);
        let mut plan = ManyPlan { models, connections, sources, limit };
        plan.check().unwrap_or_else(|why| refuse(why));
        left_out.extend(plan.leave_out_unfit().iter().map(ToString::to_string));
        if plan.models.is_empty() {
            return Err(io::Error::other(left_out.join("\nbench: ")));
        }
        let progress = progress_bar("connections, {msg}");
        let measured = many::measure(&plan, &env::current_exe()?, &progress);
        progress.finish_and_clear();
        let measured = measured?;
        let mut sentences = many::findings(&measured);
        sentences.extend(left_out);
        let table = many::table(&measured.servers);
        let json = || json_object(&plan, &measured, &sentences);
        let head = many::introduction(&plan);
        print(table.formatted(self.format.format(), &head, &sentences, json)?)?;
        Ok(measured.servers.iter().all(many::ManyResult::is_good))
    }
}

fn json_object(plan: &ManyPlan, measured: &Measured, findings: &[String]) -> io::Result<String> {
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
