//! The end of the server.

use std::time::{Duration, Instant};

use crate::scene::{Attempt, Scene, Trouble, broken};
use crate::visitor::Visitor;
use server_process::told;

/// A second is promised. The rest is for a machine that is busy with other checks.
const BOUND: Duration = Duration::from_millis(1500);

pub(super) fn ctrl_c(scene: &Scene) -> Attempt {
    let process = scene.process()?;
    // The first is the only one that a blocking server knows.
    let mut answered = Visitor::connect(scene)?;
    answered.ask()?;
    answered.replies(1)?;
    let _idle = Visitor::connect(scene)?;
    let began = Instant::now();
    if !process.interrupt() {
        return Err(Trouble::NotTried(
            "this system has no Ctrl-C that a program could send".into(),
        ));
    }
    match process.wait(BOUND) {
        None => broken(format!("the server was still there {BOUND:?} after Ctrl-C")),
        Some(status) if !status.success() => {
            broken(process.death().unwrap_or_else(|| format!("the server {}", told(status))))
        }
        Some(_) => {
            let after = began.elapsed().as_millis();
            if process.is_survived() {
                return broken("the server ended, but somebody still listens on its port");
            }
            Ok(Some(format!("{after} ms")))
        }
    }
}
