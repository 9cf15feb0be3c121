use super::*;

const RUST: &str = "\
/// A loop.
#[derive(Debug)]
pub struct Loop {
    turn: u64,
}

impl Loop {
    /// Waits.
    pub(super) fn wait(
        &mut self,
    ) -> u64 {
        if self.turn > 0 {
            1
        }
    }

    fn close(&self) {}
}

impl<T> Drop for Other<T>
where
    T: Copy,
{
    fn wait() {
    }
}

const LIMIT: usize = 3;

#[command(
    about = \"a\",
)]
#[derive(Debug)]
struct Options(
    u8,
);

/// Greets.
#[cfg_attr(
    unix,
    must_use
)]
fn greet<T>(
    it: T,
) -> usize
where
    T: Copy,
{
    it;
}

const GREETING: &str =
    \"hello\";
type Alias<T> =
    Vec<T>;
static TABLE: LazyLock<Vec<u8>> =
    LazyLock::new(|| {
        let table = [
            1,
        ];
        table
    });
struct Of<T>(T)
where
    T: Copy;
trait Wait {
    fn for_it(
        &self,
    ) -> Vec<u8>;
    fn again(&self);
}
";

fn code(name: &str) -> Result<String, String> {
    listing("a/lib.rs", RUST, &[name])
}

#[test]
fn items_come_with_their_documentation() {
    let listing = code("Loop").unwrap();
    assert_eq!(
        listing,
        "<p class=\"source\"><code>a/lib.rs</code>, lines 1 to 5</p>\n\n```rust\n/// A loop.\n\
             #[derive(Debug)]\npub struct Loop {\n    turn: u64,\n}\n```\n"
    );
    assert!(
        code("Loop::wait").unwrap().contains("rust\n/// Waits.\npub(super) fn wait(\n    &mut")
    );
    assert!(code("Loop::wait").unwrap().ends_with("    }\n}\n```\n"));
    assert!(code("Other::wait").unwrap().ends_with("rust\nfn wait() {\n}\n```\n"));
    assert!(code("close").unwrap().contains("\nfn close(&self) {}\n"));
    assert!(code("LIMIT").unwrap().contains("</code>, line 28</p>"));
    assert!(listing_of_two().contains("</code>, line 17, line 28</p>"));
}

#[test]
fn items_end_where_rustfmt_ends_them() {
    for (name, first, last) in [
        ("Options", "#[command(", ");"),
        ("greet", "/// Greets.", "}"),
        ("GREETING", "const GREETING: &str =", "    \"hello\";"),
        ("Alias", "type Alias<T> =", "    Vec<T>;"),
        ("TABLE", "static TABLE: LazyLock<Vec<u8>> =", "    });"),
        ("Of", "struct Of<T>(T)", "    T: Copy;"),
        ("Wait", "trait Wait {", "}"),
        ("for_it", "fn for_it(", ") -> Vec<u8>;"),
    ] {
        let listing = code(name).unwrap();
        let (_, body) = listing.split_once("```rust\n").unwrap();
        assert!(body.starts_with(&format!("{first}\n")), "{listing}");
        let end = body.strip_suffix("\n```\n").and_then(|body| body.lines().last());
        assert_eq!(end, Some(last), "{listing}");
    }
    assert!(code("greet").unwrap().contains("    it;\n}\n"));
    assert!(code("Wait").unwrap().contains("fn again"));
}

fn listing_of_two() -> String {
    listing("a/lib.rs", RUST, &["close", "LIMIT"]).unwrap()
}

#[test]
fn what_is_not_there_or_there_twice_is_an_error() {
    assert_eq!(code("gone").unwrap_err(), "a/lib.rs: there is no `gone`");
    assert_eq!(code("Loop::gone").unwrap_err(), "a/lib.rs: there is no `Loop::gone`");
    assert_eq!(
        code("wait").unwrap_err(),
        "a/lib.rs: there is more than one `wait`: say whose, `Type::wait`"
    );
}

#[test]
fn python_ends_where_its_indentation_does() {
    let text =
        "import os\n\n@decorated\ndef serve(port):\n    if port:\n\n        pass\n\n\nserve(1)\n";
    let listing = listing("a.py", text, &["serve"]).unwrap();
    assert!(
        listing
            .ends_with("python\n@decorated\ndef serve(port):\n    if port:\n\n        pass\n```\n"),
        "{listing}"
    );
    assert!(super::listing("a.py", text, &[]).unwrap().contains("<code>a.py</code></p>"));
}

#[test]
fn anchors_are_for_all_other_languages() {
    let text = "int a;\n/* ANCHOR: loop */\n  for (;;)\n    wait();\n/* ANCHOR_END: loop */\n";
    let found = listing("a.c", text, &["loop"]).unwrap();
    assert!(found.ends_with("lines 3 to 4</p>\n\n```c\nfor (;;)\n  wait();\n```\n"), "{found}");
    assert!(listing("a.c", &text[..40], &["loop"]).is_err());
}
