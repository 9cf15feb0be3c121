//! Bad input to the program `docs`: a sentence that names what was tried and says what to do, on
//! standard error, and the right status; and it never panics.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

#[path = "../../../client/tests/all/complaint.rs"]
mod complaint;

use complaint::{command, complaint};

fn docs(arguments: &[&str]) -> Command {
    command(env!("CARGO_BIN_EXE_docs"), arguments)
}

/// A workspace with a book of one page, and programs that do nothing.
fn small_workspace() -> TempDir {
    workspace_with("$ true")
}

/// The same, with these lines in the terminal of its page.
fn workspace_with(lines: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("docs/book.toml", "[book]\nsrc = \"book\"\n");
    write("docs/book/SUMMARY.md", "- [One](01-one.md)\n");
    write("docs/book/01-one.md", &format!("# One\n\n```console 1\n{lines}\n```\n"));
    write("programs/client", "");
    folder
}

fn in_workspace(workspace: &Path, arguments: &[&str]) -> Command {
    let mut command = docs(arguments);
    command.env("CARGO_MANIFEST_DIR", workspace.join("docs")).current_dir(workspace);
    command
}

#[test]
fn pages_and_programs_that_are_not_there_are_named() {
    let workspace = small_workspace();
    for (arguments, words) in [
        (&["test", "77"][..], &["`77`", "01-one"][..]),
        (&["test", "--programs", "docs"], &["docs", "cargo build"]),
        (&["test", "--programs", "nowhere"], &["nowhere: No such file"]),
        (&["test", "--programs", "programs/client"], &["programs/client: Not a directory"]),
    ] {
        let told = complaint(&mut in_workspace(workspace.path(), arguments), 1);
        assert!(words.iter().all(|word| told.contains(word)), "{told}");
    }
    let told = complaint(&mut docs(&["tset"]), 2);
    assert!(told.contains("'tset'"), "{told}");
    let mut without_cargo = in_workspace(workspace.path(), &["test"]);
    let told = complaint(without_cargo.env("CARGO", "/nowhere/cargo"), 1);
    assert!(told.contains("can't run cargo") && told.contains("--programs FOLDER"), "{told}");
}

#[test]
fn a_book_is_not_built_where_it_cannot_be_written() {
    let workspace = small_workspace();
    for (into, words) in [
        ("programs", "something else than a book"),
        ("programs/client", "can't write into "),
        ("programs/client/book", "can't write into "),
    ] {
        let told = complaint(&mut in_workspace(workspace.path(), &["--into", into]), 1);
        assert!(told.contains(words) && told.contains(into), "{told}");
        assert!(told.contains("`--into FOLDER`"), "{told}");
    }
    assert!(workspace.path().join("programs/client").is_file());
}

#[test]
fn a_workspace_without_a_book_is_named() {
    let empty = tempfile::tempdir().unwrap();
    let told = complaint(&mut in_workspace(empty.path(), &["--into", "book"]), 1);
    assert!(told.contains(empty.path().to_str().unwrap()) && told.contains("run this"), "{told}");
    assert!(!empty.path().join("book").exists());
}

/// Other than `println!`, which panics.
#[test]
fn nobody_has_to_read_what_it_prints() {
    let workspace = small_workspace();
    let test = ["test", "1", "--programs", "programs"];
    assert_eq!(in_workspace(workspace.path(), &test).status().unwrap().code(), Some(0));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(complaint(in_workspace(workspace.path(), &test).stdout(writer), 1), "");
    #[cfg(target_os = "linux")] // full(4)
    {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let told = complaint(in_workspace(workspace.path(), &test).stdout(full), 1);
        assert!(told.starts_with("docs: can't print: "), "{told}");
    }
}

/// As under `nohup`, or in a script's background. The shell in the page's terminal has the default
/// actions all the same: otherwise it could not trap Ctrl-C.
#[test]
fn it_survives_what_was_ignored_at_the_start_and_its_terminals_do_not_ignore_it() {
    let workspace = workspace_with(
        "$ trap 'echo interrupted; exit' INT; kill -INT $PPID; kill -HUP $PPID; echo ready; \
         while true; do sleep 1; done\nready\n^C\ninterrupted",
    );
    let test = in_workspace(workspace.path(), &["test", "1", "--programs", "programs"]);
    let output = crate::ignoring::ignoring("INT QUIT HUP", &test).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "01-one: ok\n");
}
