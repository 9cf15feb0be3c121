//! The survival matrix, cell by cell.

use std::path::Path;

use bench::Model;
use bench::matrix::{matrix, surprises};
use client::check::{Matrix, Verdict};
use protocol::Protocol;

fn tried(protocol: Protocol) -> Matrix {
    let program = Path::new(env!("CARGO_BIN_EXE_bench"));
    matrix(Model::ALL, protocol, program, &|_| {}).unwrap()
}

fn expect_no_surprises(matrix: &Matrix) {
    assert_eq!(matrix.columns.len(), Model::ALL.len());
    for (&model, column) in Model::ALL.iter().zip(&matrix.columns) {
        assert_eq!(surprises(model, column), [""; 0], "{}", matrix.text());
    }
}

#[test]
fn every_cell_is_as_the_model_must_be() {
    let matrix = tried(Protocol::Lines);
    expect_no_surprises(&matrix);
    for column in &matrix.columns {
        for cell in &column.cells {
            if cfg!(target_os = "linux") {
                let is_tried = !matches!(cell.verdict, Verdict::NotTried { .. });
                assert!(is_tried, "{}", matrix.text());
            }
            if let Verdict::Kept { figure: Some(figure) } = &cell.verdict
                && cell.check.name == "many-connections"
            {
                let at_once: u32 = figure.split(' ').next().unwrap().parse().unwrap();
                let is_right = match &column.server[..] {
                    "sync-server" => at_once == 1,
                    // All that select(2) can watch but what the server needs for itself.
                    "select-server" => (1000..1024).contains(&at_once),
                    _ => at_once == 1100,
                };
                assert!(is_right, "{}", matrix.text());
            }
        }
    }
}

#[test]
fn and_so_it_is_in_the_protocol_of_the_article() {
    expect_no_surprises(&tried(Protocol::OneShot));
}
