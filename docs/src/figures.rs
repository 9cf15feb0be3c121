//! Measured figures in the book, from the measured set.
//!
//! A line `{{#figures One wait among many descriptors: select, epoll}}` shows two rows of the
//! table under that heading of the set's `tables.md`: the medians, and where they come from.

/// The set that the book shows, as a path from its pages.
pub const SET: &str = "figures/2026-11-23";

/// The table `asked` for, by its heading in `tables`, or only its rows with the names after the
/// heading, as Markdown.
///
/// # Errors
///
/// A sentence, if there is no such heading or row.
pub fn table(tables: &str, asked: &str) -> Result<String, String> {
    // A heading may have a colon itself.
    let section = tables.split("\n## ").find_map(|section| {
        let (heading, body) = section.split_once('\n')?;
        let rows = asked.strip_prefix(heading)?;
        let rows = if rows.is_empty() { rows } else { rows.strip_prefix(": ")? };
        Some((heading, body, rows))
    });
    let (heading, section, rows) = section.ok_or_else(|| format!("there is no table `{asked}`"))?;
    let rows: Vec<&str> = rows.split(", ").filter(|row| !row.is_empty()).collect();
    let mut lines = section.lines().filter(|line| line.starts_with('|'));
    let head: Vec<&str> = lines.by_ref().take(2).collect();
    let body: Vec<&str> = lines.collect();
    let name = |line: &str| line.split('|').nth(1).map_or("", str::trim).to_owned();
    let mut chosen = body.clone();
    if !rows.is_empty() {
        let find = |row: &&str| {
            let line = body.iter().find(|line| name(line) == **row);
            line.copied().ok_or_else(|| format!("`{heading}` has no row `{row}`"))
        };
        chosen = rows.iter().map(find).collect::<Result<_, _>>()?;
    }
    let medians = chosen.into_iter().map(without_bounds);
    let table: Vec<String> = head.into_iter().map(str::to_owned).chain(medians).collect();
    // The sentence below the heading contains a command.
    let command = section.split('`').find(|word| word.starts_with("cargo "));
    let command = command.map_or(String::new(), |command| format!("; <code>{command}</code>"));
    // As mdBook makes it.
    let id = heading
        .to_lowercase()
        .replace(' ', "-")
        .replace(|c: char| c.is_ascii_punctuation() && c != '-', "");
    Ok(format!(
        "<div class=\"figures\">\n\n{}\n\n</div>\n\n<p class=\"source\">Medians, measured on one \
         machine{command}; <a href=\"{SET}/tables.html#{id}\">all figures, with their bounds</a></p>\n",
        table.join("\n")
    ))
}

/// A row without the parts in square brackets.
fn without_bounds(row: &str) -> String {
    let mut text = String::new();
    let mut rest = row;
    while let Some((before, after)) = rest.split_once(" [") {
        text += before;
        rest = after.split_once(']').map_or("", |(_, after)| after);
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLES: &str = "\
# All

## Waits: all

How long. `cargo bench -p bench -- waits`, n = 20.

| pipes | 10 | 100 |
|---|--:|--:|
| select | 1.96 µs [1.95, 1.97] | – |
| epoll | 965 ns [960, 968] | 1 µs [1, 2] |

## Others
";

    #[test]
    fn rows_are_chosen_and_have_no_bounds() {
        let table = table(TABLES, "Waits: all: epoll").unwrap();
        assert!(
            table.contains(
                "| pipes | 10 | 100 |\n|---|--:|--:|\n| epoll | 965 ns | 1 µs |\n\n</div>"
            )
        );
        assert!(table.contains("<code>cargo bench -p bench -- waits</code>"));
        assert!(table.contains("tables.html#waits-all"));
        assert!(super::table(TABLES, "Waits: all").unwrap().contains("| select | 1.96 µs | – |"));
    }

    #[test]
    fn what_is_not_there_is_told() {
        assert_eq!(table(TABLES, "Wait").unwrap_err(), "there is no table `Wait`");
        assert_eq!(
            table(TABLES, "Waits: all: poll").unwrap_err(),
            "`Waits: all` has no row `poll`"
        );
    }
}
