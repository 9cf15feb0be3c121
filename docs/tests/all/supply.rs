//! What a server is built from, and where the compiler takes our word: the lists in the README
//! and in the book, compared with what Cargo and the sources say.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use docs::{pages, workspace};
use regex::Regex;

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The cells of a table's rows, by what stands in the first: a path or a name, with or without a
/// link, in backquotes.
fn rows(text: &str, heading: &str) -> BTreeMap<String, Vec<String>> {
    let (_, table) = text.split_once(heading).unwrap_or_else(|| panic!("no table: {heading}"));
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| -> Vec<String> {
        row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let named = rows.map(|row| {
        let cells = cells(row);
        let name = cells[0].split('`').nth(1).unwrap_or_else(|| panic!("no name: {row}"));
        (name.to_owned(), cells)
    });
    named.collect()
}

/// Members of the workspace, as folders.
fn members() -> Vec<String> {
    let manifest = read(workspace().join("Cargo.toml"));
    let (_, list) = manifest.split_once("members = [").unwrap();
    let (list, _) = list.split_once(']').unwrap();
    list.lines().filter_map(|line| Some(line.split('"').nth(1)?.to_owned())).collect()
}

// Elsewhere servers are built from other crates, and Cargo has only fetched those of this system.
#[cfg(target_os = "linux")]
mod crates {
    use std::collections::BTreeSet;
    use std::process::Command;

    use super::*;

    /// What Cargo prints of a package's dependencies, tests left out.
    fn tree(package: &str, options: &[&str]) -> String {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        command.current_dir(workspace()).env("CARGO_TERM_COLOR", "never");
        command.args(["tree", "--offline", "--locked", "-p", package, "-e", "no-dev"]);
        let output = command.args(["-f", "{lib}"]).args(options).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The crates of others in it.
    fn crates(package: &str) -> BTreeSet<String> {
        let own: BTreeSet<String> = members()
            .iter()
            .map(|folder| folder.rsplit('/').next().unwrap_or(folder).replace('-', "_"))
            .collect();
        let tree = tree(package, &["--prefix", "none"]);
        let names = tree.lines().map(|line| line.trim_end_matches(" (*)").to_owned());
        names
            .filter(|name| !name.is_empty() && !name.starts_with('[') && !own.contains(name))
            .collect()
    }

    #[test]
    fn the_tree_in_the_readme_is_cargos() {
        let readme = read(workspace().join("README.md"));
        let command = "$ cargo tree --locked -p server-kit -e no-dev -f '{lib}'\n";
        let (_, printed) = readme.split_once(command).expect("the command");
        let (printed, _) = printed.split_once("\n```").unwrap();
        let tree = tree("server-kit", &[]);
        assert_eq!(printed, tree.trim_end(), "README.md must have:\n{tree}");
    }

    #[test]
    fn each_server_adds_what_the_readme_says() {
        let readme = read(workspace().join("README.md"));
        let table = rows(&readme, "| Server | What it adds | Crates of others in all |");
        let servers: Vec<String> = members()
            .iter()
            .filter_map(|folder| folder.rsplit('/').next())
            .filter(|name| name.ends_with("-server"))
            .map(str::to_owned)
            .collect();
        assert_eq!(table.len(), servers.len());
        let kit = crates("server-kit");
        for server in servers {
            let all = crates(&server);
            let added: Vec<_> = all.difference(&kit).map(|name| format!("`{name}`")).collect();
            let row = &table[&server];
            assert_eq!(row[1..], [added.join(", "), all.len().to_string()], "{server}");
        }
    }
}

/// All sources below a folder, as paths from there.
fn sources(root: &Path, below: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(root.join(below)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = below.join(&name);
        if entry.file_type().unwrap().is_dir() {
            if !name.starts_with('.') && name != "target" {
                sources(root, &path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The page on `unsafe`, and the rows of its table.
fn blocks() -> (String, BTreeMap<String, Vec<String>>) {
    let page = read(pages(&workspace()).join("unsafe.md"));
    let table = rows(&page, "| File | Blocks | Why it can't be avoided | What upholds it |");
    (page, table)
}

#[test]
fn every_unsafe_block_is_in_the_table() {
    // Functions and traits may be unsafe, too, and here are none.
    let taken = Regex::new(r"\bunsafe\s*(\{|fn\b|impl\b|trait\b|extern\b|\()").unwrap();
    let mut all = Vec::new();
    sources(&workspace(), Path::new(""), &mut all);
    assert!(all.len() > 100, "{all:?}");
    let count = |path: &Path| {
        let text = read(workspace().join(path));
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        code.map(|line| taken.find_iter(line).count()).sum::<usize>()
    };
    let counted = all.iter().map(|path| {
        // As links have it, on Windows, too.
        let names: Vec<_> = path.iter().map(|name| name.to_string_lossy()).collect();
        (names.join("/"), count(path))
    });
    let counted: BTreeMap<String, usize> = counted.filter(|(_, count)| *count > 0).collect();

    let (page, table) = blocks();
    let told = table.iter().map(|(file, row)| (file.clone(), row[1].parse().unwrap()));
    assert_eq!(told.collect::<BTreeMap<String, usize>>(), counted);
    let sum: usize = counted.values().sum();
    let words = format!("there are {sum}, in the files below");
    assert!(page.contains(&words), "unsafe.md does not say: {words}");
}

/// A package has the workspace's lints, which forbid it; or it is in the table.
#[test]
fn every_other_package_forbids_it() {
    let (_, table) = blocks();
    assert!(read(workspace().join("Cargo.toml")).contains("unsafe_code = \"forbid\""));
    // A package may be in the folder of another: a file belongs to the innermost.
    let members = members();
    let package_of = |file: &str| {
        let outer = members.iter().filter(|member| file.starts_with(&format!("{member}/")));
        outer.max_by_key(|member| member.len())
    };
    for member in &members {
        let manifest = read(workspace().join(member).join("Cargo.toml"));
        let is_excepted = table.keys().any(|file| package_of(file) == Some(member));
        let lints =
            if is_excepted { "unsafe_code = \"deny\"" } else { "[lints]\nworkspace = true" };
        assert!(
            manifest.replace('\r', "").contains(lints),
            "{member}: its lints are not `{lints}`"
        );
    }
}

/// So that it can be seen where the code is read.
#[test]
fn every_library_without_a_block_says_so() {
    let (_, table) = blocks();
    for member in members() {
        let library = read(workspace().join(&member).join("src/lib.rs"));
        let says_so = library.lines().any(|line| line == "#![forbid(unsafe_code)]");
        let has_blocks = table.keys().any(|file| file.starts_with(&format!("{member}/src/")));
        assert_eq!(says_so, !has_blocks, "{member}/src/lib.rs");
    }
}
