//! Plays every page of the book against the real programs: one test for each page.
//!
//! The programs are built first. Several pages are played at a time: they mostly wait.
//! `cargo test -p docs --test transcripts -- 05` plays one chapter.

/// The pages that take more than 20 seconds.
#[cfg(target_os = "linux")]
const LONG: [&str; 3] = ["14-measuring.md", "16-your-own-server.md", "08-the-zoo.md"];

#[cfg(target_os = "linux")]
fn main() {
    use std::path::PathBuf;
    use std::sync::Arc;

    use docs::player::{PATIENCE, Player, Programs, pages_with_terminals};
    use libtest_mimic::{Arguments, Failed, Trial};

    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(6);
    let workspace = docs::workspace();
    let mut pages = pages_with_terminals(&workspace).expect("the book can be read");
    // Those that take longest begin first, so that at the end no page is played alone.
    let is_long = |page: &PathBuf| LONG.iter().any(|name| page.ends_with(name));
    pages.sort_by_key(|page| !is_long(page));
    // Those who only want a list of tests need not wait for the compiler.
    let player = (!arguments.list).then(|| {
        let programs = Programs::build(&workspace).expect("the programs can be built");
        Arc::new(Player { workspace, programs, patience: PATIENCE })
    });
    let trials = pages.into_iter().map(|page| {
        let name = page.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let player = player.clone();
        let play = move || {
            let player = player.ok_or("nothing is played where tests are only listed")?;
            let played = player.play_page(&page, false).map_err(Failed::from)?;
            if !played.missing.is_empty() {
                let missing = Vec::from_iter(played.missing).join(", ");
                println!("{}: not played, without {missing}: some blocks", page.display());
            }
            Ok(())
        };
        Trial::test(name, play)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

// What systems print differs, and what the kernel does: the book shows Linux, and says where
// others are different.
#[cfg(not(target_os = "linux"))]
fn main() {
    println!("the book's terminals are those of Linux: they are not played here");
}
