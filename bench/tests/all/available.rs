//! What the tests can try on this system.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::Mutex;

use bench::Model;

/// The servers that can run here. It reports that the others are left out.
pub fn available(models: &[Model]) -> Vec<Model> {
    let can_run = |model: &Model| match model.available() {
        Ok(()) => true,
        Err(why) => {
            left_out(format!("{} can't run here: {why}", model.label));
            false
        }
    };
    models.iter().copied().filter(can_run).collect()
}

/// Prints what is not tried, once for all tests. `eprintln!` wouldn't do, because its output is
/// shown only if the test fails.
pub fn left_out(why: String) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if SAID.lock().unwrap().insert(why.clone()) {
        // If this can't be printed, the test is left out all the same.
        writeln!(io::stderr(), "left out: {why}").ok();
    }
}
