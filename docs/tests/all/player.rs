//! The player itself, with commands of the shell: what it types, and what it finds.

use std::time::{Duration, Instant};

use docs::player::{Played, Player, Programs};

fn play(blocks: &str) -> Result<Played, String> {
    let none = tempfile::tempdir().unwrap();
    let programs = Programs::within(none.path()).unwrap();
    // Whoever waits for what never comes waits in vain; all else takes milliseconds.
    let patience = Duration::from_secs(if blocks.contains("in vain") { 1 } else { 60 });
    Player { workspace: docs::workspace(), programs, patience }.play(blocks)
}

fn block(terminal: usize, lines: &str) -> String {
    format!("\n```console {terminal}\n{lines}\n```\n")
}

fn refused(blocks: &str) -> String {
    play(blocks).expect_err("this is not what comes out")
}

#[test]
fn what_is_printed_is_compared_line_by_line() {
    play(&block(1, "$ printf 'one\\ntwo\\n'\none\ntwo")).unwrap();
    let why = refused(&block(1, "$ printf 'one\\ntwo\\n'\none\nthree"));
    assert!(why.contains("expected: three\nprinted:  two"), "{why}");
    assert!(why.starts_with("line 2, terminal 1"), "{why}");
}

#[test]
fn what_varies_and_what_is_left_out_may_be_anything() {
    play(&block(1, "$ seq 1 10; echo done in 5ms\n1\n…\n9\n⟨11⟩\ndone in ⟨1s⟩")).unwrap();
    let why = refused(&block(1, "$ echo done in 5ms\ndone in ⟨1ms in ..2ms⟩"));
    assert!(why.contains("`5ms` should be at most 2ms"), "{why}");
}

#[test]
fn nothing_may_be_printed_beyond_the_page() {
    let why = refused(&block(1, "$ seq 1 3\n1\n2"));
    assert!(why.contains("it prints more than stands in the page\n"), "{why}");
    play(&block(1, "$ seq 1 3\n1\n…")).unwrap();
    let why = refused(&block(1, "$ echo one\none\ntwo"));
    assert!(why.contains("it ended before all was printed"), "{why}");
}

#[test]
fn many_lines_are_read_as_quickly_as_they_come() {
    let begin = Instant::now();
    play(&block(1, "$ seq 1 50000; echo end\n1\n…\n40000\n…\nend")).unwrap();
    // A second or two, where no optimizer has been at work.
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
    // Nor do several gaps multiply, where the last line does not come.
    let why = refused(&block(1, "$ seq 1 2000; sleep 9\n…\n⟨5⟩\n…\n⟨5⟩\n…\nin vain"));
    assert!(why.contains("no more came in 1s"), "{why}");
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
}

#[test]
fn what_is_wrong_behind_a_gap_is_told() {
    let why = refused(&block(1, "$ echo one; echo it took 5ms\n…\nit took ⟨9ms in 8ms..⟩"));
    assert!(why.contains("before all was printed\n`5ms` should be at least 8ms"), "{why}");
}

#[test]
fn keys_do_what_they_do_in_a_terminal() {
    // Typed lines reach the program; the end of the input ends it.
    play(&block(1, "$ cat\n» hello\nhello\n» again\nagain\n^D")).unwrap();
    // Ctrl-C interrupts what runs, and the shell goes on.
    play(&block(1, "$ trap 'echo interrupted; exit' INT; echo ready; while true; do sleep 1; done\nready\n^C\ninterrupted")).unwrap();
    // After Ctrl-S nothing more is printed, though the program would.
    let stopped = block(1, "$ cat\n» one\none\n^S\n» two\ntwo in vain");
    assert!(refused(&stopped).contains("no more came"), "{stopped}");
    play(&block(1, "$ cat\n» one\none\n^S\n» two\n^Q\ntwo\n^D")).unwrap();
}

#[test]
fn terminals_run_side_by_side_and_go_on_later() {
    let page = block(1, "$ cat; echo end\n» one\none")
        + &block(2, "$ echo two\ntwo")
        + &block(1, "» three\nthree\n^D\nend");
    play(&page).unwrap();
    assert!(refused(&block(1, "one")).contains("nothing runs here"));
}

#[test]
fn nothing_is_left_running() {
    let why = refused(&block(1, "$ echo in vain; sleep 1000\nin vain"));
    assert!(why.contains("`echo in vain; sleep 1000` is still running"), "{why}");
}

#[test]
fn a_recording_has_the_samples_of_this_time() {
    let page = block(1, "$ echo it took 7ms\nit took ⟨1s in ..1m⟩");
    let recorded = play(&page).unwrap().recorded;
    assert_eq!(recorded, page.replace("1s", "7ms"));
}

#[test]
fn a_recording_leaves_all_else_as_it_is() {
    let page = "```console 1\r\n$ echo 7\r\n⟨1⟩\r\n```\r\n\r\nText \n\n";
    assert_eq!(
        play(page).unwrap().recorded,
        page.replace('1', "7").replace("console 7", "console 1")
    );
    let page = "```console 1\n$ true\n```";
    assert_eq!(play(page).unwrap().recorded, page);
}

#[test]
fn what_needs_a_missing_tool_is_left_out_and_told() {
    let page =
        "\n```console 1 needs=io_uring\n$ unobtainable\nwonders\n```\n\n```console 1\nmore\n```\n";
    let played = play(page).unwrap();
    // There is no server here that could tell whether it is allowed.
    assert_eq!(Vec::from_iter(played.missing), ["io_uring"]);
    let why = refused("```console 1 needs=pyhton3\n$ true\n```\n");
    assert_eq!(why, "line 1: nobody looks for the tool `pyhton3`");
}

#[test]
fn programs_are_found_from_wherever_they_run() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("hello");
    // A shell writes it: what this process has open for writing, a process that another test is
    // starting has open, too, for a moment, and then it can't be run (ETXTBSY).
    let write = "printf '#!/bin/sh\\necho hello\\n' > \"$0\" && chmod +x \"$0\"";
    let shell = std::process::Command::new("sh").args(["-c", write]).arg(&script).status();
    assert!(shell.unwrap().success());
    let up = "../".repeat(std::env::current_dir().unwrap().components().count());
    let relative = format!("{up}{}", folder.path().display());
    let programs = Programs::within(relative.as_ref()).unwrap();
    let workspace = folder.path().to_owned();
    let player = Player { workspace, programs, patience: Duration::from_secs(60) };
    player.play(&block(1, "$ cargo run -p hello\nhello")).unwrap();
}

#[test]
fn files_go_into_a_folder_of_their_own() {
    let played = play(&block(
        1,
        "$ echo words > target/file; cat target/file; echo target/file\nwords\ntarget/file",
    ));
    let folder = played.unwrap().written;
    assert_eq!(std::fs::read_to_string(folder.path().join("file")).unwrap(), "words\n");
}
