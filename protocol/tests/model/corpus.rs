//! Runs the sequences of steps that the fuzzer found worth keeping.

use std::fs;
use std::panic;
use std::path::Path;

use crate::bytes::play;

#[test]
#[cfg_attr(miri, ignore = "it reads files, and Miri keeps tests from the system")]
fn the_fuzzers_corpus_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/conversation");
    let mut courses = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let played = panic::catch_unwind(|| play(&bytes));
        assert!(played.is_ok(), "{} does not hold: see above", path.display());
        courses += 1;
    }
    assert!(courses > 0, "{} is empty", folder.display());
}
