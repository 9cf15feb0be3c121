//! The book as a whole: it can be built without a warning, every link leads somewhere, and every
//! chapter has the same form.

use std::fs;
use std::path::{Path, PathBuf};

use docs::{pages, workspace};
use regex::Regex;

/// What stands in each chapter, in this order.
const FORM: [&str; 6] =
    ["Predict first", "Experiment", "What came out", "Why", "What is still wrong", "Exercises"];

/// Pages that are read in this order, with their titles in the summary.
fn summary() -> Vec<(String, PathBuf)> {
    let summary = fs::read_to_string(pages(&workspace()).join("SUMMARY.md")).unwrap();
    let entry = |line: &str| {
        let (_, rest) = line.split_once('[')?;
        let (title, path) = rest.strip_suffix(')')?.rsplit_once("](")?;
        Some((title.to_owned(), path.into()))
    };
    summary.lines().filter_map(entry).collect()
}

/// The chapters: those with a number in their file's name.
fn chapters() -> Vec<(String, PathBuf)> {
    let starts_with_digit =
        |path: &Path| path.to_string_lossy().starts_with(|c: char| c.is_ascii_digit());
    summary().into_iter().filter(|(_, path)| starts_with_digit(path)).collect()
}

fn read(page: &Path) -> String {
    let path = pages(&workspace()).join(page);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The lines of a page outside of its blocks.
fn prose(text: &str) -> Vec<&str> {
    let mut fenced = false;
    let outside = |line: &&str| {
        let fence = line.starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    };
    text.lines().filter(outside).collect()
}

fn headings<'a>(text: &'a str, mark: &str) -> Vec<&'a str> {
    prose(text).into_iter().filter_map(|line| line.strip_prefix(mark)).collect()
}

/// How many items `1.`, `2.`, … a part of a page has.
fn numbered(text: &str) -> usize {
    let lines = prose(text);
    let count = (1..)
        .take_while(|number| lines.iter().any(|line| line.starts_with(&format!("{number}. "))));
    count.count()
}

#[test]
fn it_can_be_built_and_every_link_leads_somewhere() {
    let folder = tempfile::tempdir().unwrap();
    docs::book::build(&workspace(), folder.path()).unwrap();
    let pages = summary();
    assert!(pages.len() > 30);
    for (_, page) in pages {
        assert!(folder.path().join(&page).with_extension("html").exists(), "{}", page.display());
    }
}

/// The book's own links are checked when it is built.
#[test]
fn links_of_the_pages_outside_the_book_lead_to_files() {
    let link = Regex::new(r"\]\(([^)#:]+)\)").unwrap();
    for page in ["README.md", ".github/CONTRIBUTING.md"] {
        let page = workspace().join(page);
        let text = fs::read_to_string(&page).unwrap();
        let folder = page.parent().unwrap();
        let links: Vec<&str> = link.captures_iter(&text).map(|it| it.extract::<1>().1[0]).collect();
        assert!(links.len() > 5, "{}: {links:?}", page.display());
        for to in links {
            assert!(folder.join(to).exists(), "{}: {to}", page.display());
        }
    }
}

#[test]
fn every_page_is_in_the_summary() {
    let known: Vec<_> = summary().into_iter().map(|(_, path)| path).collect();
    let folder = pages(&workspace());
    for below in ["", "answers"] {
        for entry in fs::read_dir(folder.join(below)).unwrap() {
            let path = entry.unwrap().path();
            let page = path.strip_prefix(&folder).unwrap();
            let is_page = page.extension().is_some_and(|extension| extension == "md");
            let listed = known.iter().any(|known| known == page) || page.ends_with("SUMMARY.md");
            assert!(!is_page || listed, "{} is not in the summary", page.display());
        }
    }
}

#[test]
fn every_chapter_has_the_same_form() {
    let chapters = chapters();
    assert_eq!(chapters.len(), 16);
    for (title, path) in &chapters[..15] {
        let text = read(path);
        assert_eq!(headings(&text, "# "), [title], "{}", path.display());
        assert_eq!(headings(&text, "## "), FORM, "{}", path.display());
        let question = text.lines().nth(2).unwrap_or_default();
        assert!(question.starts_with("> "), "{}: where is its question?", path.display());
        let (_, experiment) = text.split_once("\n## Experiment\n").unwrap();
        let (experiment, _) = experiment.split_once("\n## ").unwrap();
        assert!(experiment.contains("\n```console "), "{}: no experiment", path.display());
    }
}

#[test]
fn every_exercise_has_its_answer() {
    for (_, path) in &chapters()[..15] {
        let text = read(path);
        let (_, exercises) = text.split_once("\n## Exercises\n").unwrap();
        let answers = Path::new("answers").join(path);
        assert!((2..=5).contains(&numbered(exercises)), "{}", path.display());
        assert_eq!(numbered(exercises), numbered(&read(&answers)), "{}", answers.display());
        let link = format!("[Answers](answers/{})", path.display());
        assert!(exercises.contains(&link), "{}: {link}", path.display());
    }
}

#[test]
fn every_term_of_the_glossary_is_there_once_and_in_order() {
    let glossary = read(Path::new("glossary.md"));
    let lines: Vec<&str> = glossary.lines().collect();
    let terms = lines
        .windows(2)
        .filter(|pair| pair[1].starts_with(": "))
        .map(|pair| pair[0].to_lowercase());
    let terms: Vec<String> = terms.collect();
    assert!(terms.len() > 50, "{terms:?}");
    assert!(terms.is_sorted_by(|one, next| one < next), "{terms:?}");
}

#[test]
fn the_checker_names_chapters_by_their_titles() {
    let chapters = chapters();
    for check in checker::ALL {
        let chapter = check.chapter;
        let (title, _) = &chapters[usize::from(chapter.number) - 1];
        assert_eq!(title, chapter.title, "check {}", check.name);
    }
}

#[test]
fn pictures_are_used_and_those_of_commands_have_their_command() {
    let texts: Vec<String> = summary().iter().map(|(_, page)| read(page)).collect();
    let all = texts.concat();
    for below in ["pictures", "diagrams"] {
        for entry in fs::read_dir(pages(&workspace()).join(below)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let readme = || fs::read_to_string(workspace().join("README.md")).unwrap();
            let picture = format!("{below}/{name}");
            if below == "pictures" && readme().contains(&picture) {
                continue; // whose command stands there
            }
            assert!(all.contains(&format!("]({picture})")), "nobody shows {picture}");
            let command = format!("target/{name}");
            assert!(below == "diagrams" || all.contains(&command), "no command makes {picture}");
        }
    }
}
