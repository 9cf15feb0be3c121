//! Plays every page of the book against the real programs: one test for each page.
//!
//! The programs are built first. Two pages are played at a time: most of the time, they wait.
//! `cargo test -p docs --test transcripts -- 05` plays one chapter.

#[cfg(target_os = "linux")]
fn main() {
    use std::sync::Arc;

    use docs::player::{Programs, pages_with_terminals, play_page};
    use libtest_mimic::{Arguments, Failed, Trial};

    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(2);
    let workspace = docs::workspace();
    let pages = pages_with_terminals(&workspace).expect("the book can be read");
    let programs = if arguments.list { None } else { Some(Programs::build(&workspace)) };
    let programs = programs.map(|programs| Arc::new(programs.expect("the programs can be built")));
    let trials = pages.into_iter().map(|page| {
        let name = page.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let (workspace, programs) = (workspace.clone(), programs.clone());
        let play = move || {
            let programs = programs.ok_or("nothing is played where tests are only listed")?;
            let played = play_page(&workspace, &programs, &page, false).map_err(Failed::from)?;
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
