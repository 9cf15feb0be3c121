//! `many`: as many connections as possible.

use std::env;
use std::io;

use clap::Args;
use output::{FormatOptions, print};
use protocol::Protocol;
use server_kit::whole_number;

use super::{Choice, expect_any, progress_bar, refuse};
use crate::LeftOut;
use crate::many::{self, ManyPlan};

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
    #[arg(long, value_name = "N", value_parser = whole_number(1..=u32::MAX as usize))]
    connections: Option<usize>,

    /// Connect from this many addresses of this machine: 127.0.0.2, 127.0.0.3 and so on; Linux only
    /// [default: one per 14000 connections]
    #[arg(long, value_name = "N", value_parser = whole_number(1..=many::MOST_SOURCES))]
    sources: Option<usize>,

    #[command(flatten)]
    format: FormatOptions,
}

impl Options {
    /// Returns whether every connection was held and got all its replies.
    pub(super) fn run(self) -> io::Result<bool> {
        let (models, mut left_out) = self.choice.sort_out(Protocol::Lines);
        let limit = usize::try_from(system::raise_descriptor_limit()?).unwrap_or(usize::MAX);
        let connections = self.connections.unwrap_or_else(|| many::most_connections(limit));
        let mut plan = ManyPlan { models, connections, sources: self.sources, limit };
        plan.check().unwrap_or_else(|why| refuse(why));
        left_out.extend(plan.leave_out_unfit().iter().map(LeftOut::to_string));
        expect_any(&plan.models, &left_out)?;
        let program = env::current_exe()?;
        let mut measured = many::measure(&plan, &program, &progress_bar("connections, {msg}"))?;
        measured.findings.extend(left_out);
        let (table, head) = (many::table(&measured.servers), many::introduction(&plan));
        let json = || Ok(serde_json::to_string(&measured)?);
        print(table.formatted(self.format.format(), &head, &measured.findings, json)?)?;
        Ok(measured.servers.iter().all(many::ManyResult::is_good))
    }
}
