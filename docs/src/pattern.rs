//! A line of a transcript: what must be printed exactly, and what may vary.
//!
//! What varies is written in the book's source as `⟨39196⟩`: a sample, between marks that the page
//! does not show. Everything of the sample's kind matches: a number (`⟨39196⟩`, `⟨97%⟩`, `⟨+0.4
//! MB⟩`), a time in any unit (`⟨187µs⟩`), or else any text (`⟨────⟩`). A number or a time can have
//! bounds that are checked; both are inclusive, and one of them may be omitted: `⟨97% in 80..⟩`,
//! `⟨1.68s in 900ms..4s⟩`. A bound without a unit has the sample's.

use std::fmt::Write;
use std::sync::LazyLock;

use regex::Regex;

/// A number and its unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantity {
    /// In units of `unit`; times are in seconds.
    value: f64,
    /// Such as `%` or `kB`; `s` for times of all units; nothing for bare numbers.
    unit: String,
}

static QUANTITY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^([+-]?[0-9][0-9,]*(?:\.[0-9]+)?) ?(\p{L}{1,3}|%)?$").expect("it is a constant")
});

/// Units of time, and how many seconds they are.
const TIMES: [(&str, f64); 7] = [
    ("ns", 1e-9),
    ("µs", 1e-6),
    ("us", 1e-6),
    ("ms", 1e-3),
    ("s", 1.0),
    ("m", 60.0),
    ("h", 3600.0),
];

impl Quantity {
    fn parse(text: &str) -> Option<Self> {
        let found = QUANTITY.captures(text)?;
        let number = found[1].replace(',', "").parse::<f64>().ok()?;
        let unit = found.get(2).map_or("", |unit| unit.as_str());
        Some(match TIMES.iter().find(|(name, _)| *name == unit) {
            Some((_, seconds)) => Quantity { value: number * seconds, unit: "s".into() },
            None => Quantity { value: number, unit: unit.into() },
        })
    }

    fn is_within(&self, low: Option<f64>, high: Option<f64>) -> bool {
        low.is_none_or(|low| low <= self.value) && high.is_none_or(|high| self.value <= high)
    }
}

/// What a varying part may be.
#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Text,
    /// Of this unit, within these bounds.
    Quantity {
        unit: String,
        low: Option<f64>,
        high: Option<f64>,
    },
}

/// A part of a line.
#[derive(Clone, Debug, PartialEq)]
enum Part {
    Exactly(String),
    Varies { sample: String, bounds: Option<String>, kind: Kind },
}

/// A line of a transcript.
#[derive(Clone, Debug)]
pub struct Pattern {
    parts: Vec<Part>,
    regex: Regex,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.parts == other.parts
    }
}

/// The marks around a varying part.
const MARKS: (char, char) = ('⟨', '⟩');

impl Pattern {
    /// Reads a line of the book's source.
    ///
    /// # Errors
    ///
    /// A sentence, if a mark has no partner, or bounds make no sense.
    pub fn parse(line: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = line.trim_end();
        while let Some((before, after)) = rest.split_once(MARKS.0) {
            let Some((inside, after)) = after.split_once(MARKS.1) else {
                return Err(format!("there is a `⟨` without its `⟩`: {line}"));
            };
            if !before.is_empty() {
                parts.push(Part::Exactly(before.into()));
            }
            parts.push(varying(inside).map_err(|why| format!("{why}: {line}"))?);
            rest = after;
        }
        if rest.contains(MARKS.1) {
            return Err(format!("there is a `⟩` without its `⟨`: {line}"));
        }
        if !rest.is_empty() {
            parts.push(Part::Exactly(rest.into()));
        }
        Ok(Pattern { regex: regex(&parts), parts })
    }

    /// What the line shows: samples without their marks.
    pub fn sample(&self) -> String {
        let texts = self.parts.iter().map(|part| match part {
            Part::Exactly(text) | Part::Varies { sample: text, .. } => text.as_str(),
        });
        texts.collect()
    }

    /// The line as HTML: what varies is a `span` that shows its bounds.
    pub fn html(&self) -> String {
        let mut html = String::new();
        for part in &self.parts {
            match part {
                Part::Exactly(text) => html += &escaped(text),
                Part::Varies { sample, bounds, .. } => {
                    let what = bounds.as_ref().map_or_else(
                        || "varies".into(),
                        |bounds| format!("varies; tested: {}", in_words(bounds)),
                    );
                    let class = if bounds.is_some() { "varies bounded" } else { "varies" };
                    let (sample, what) = (escaped(sample), escaped(&what));
                    write!(html, r#"<span class="{class}" title="{what}">{sample}</span>"#)
                        .expect("a String takes everything");
                }
            }
        }
        html
    }

    /// Compares a printed line with this one.
    ///
    /// # Errors
    ///
    /// `None` if it is another line; a sentence if it is this line, but a number is out of its
    /// bounds.
    pub fn compare(&self, line: &str) -> Result<(), Option<String>> {
        let found = self.regex.captures(line.trim_end()).ok_or(None)?;
        let kinds = self.parts.iter().filter_map(|part| match part {
            Part::Exactly(_) => None,
            Part::Varies { kind, bounds, .. } => Some((kind, bounds)),
        });
        for (index, (kind, bounds)) in kinds.enumerate() {
            let text = found.get(index + 1).expect("each part that varies is a group").as_str();
            if let Kind::Quantity { low, high, .. } = kind {
                let seen = Quantity::parse(text).ok_or(None)?;
                if !seen.is_within(*low, *high) {
                    let bounds = bounds.as_deref().map_or(String::new(), in_words);
                    return Err(Some(format!("`{text}` should be {bounds}: {line}")));
                }
            }
        }
        Ok(())
    }

    /// The source of this line with the samples of another run.
    pub fn recorded(&self, line: &str) -> Option<String> {
        let line = line.trim_end();
        let found = self.regex.captures(line)?;
        let (mut source, mut end, mut index) = (String::new(), 0, 0);
        for part in &self.parts {
            if let Part::Varies { bounds, .. } = part {
                index += 1;
                let group = found.get(index)?;
                source += &line[end..group.start()];
                let bounds =
                    bounds.as_ref().map_or(String::new(), |bounds| format!(" in {bounds}"));
                write!(source, "{}{}{bounds}{}", MARKS.0, group.as_str(), MARKS.1).ok()?;
                end = group.end();
            }
        }
        Some(source + &line[end..])
    }
}

/// Two or more blanks, which separate columns.
static BLANKS: LazyLock<Regex> = LazyLock::new(|| Regex::new(" {2,}").expect("it is a constant"));

/// Blanks between columns may vary, and so may those next to a varying part, because columns are as
/// wide as their content.
fn regex(parts: &[Part]) -> Regex {
    let mut regex = String::from("^");
    let last = parts.len().saturating_sub(1);
    for (index, part) in parts.iter().enumerate() {
        match part {
            Part::Exactly(text) => {
                let word = text.trim_matches(' ');
                let begin = text.len() - text.trim_start_matches(' ').len();
                let end = text.len() - text.trim_end_matches(' ').len();
                regex += &blanks(begin, index > 0);
                regex += &BLANKS.replace_all(&regex::escape(word), " {2,}");
                // Nothing but blanks, between two varying parts: they are there already.
                regex += &blanks(if word.is_empty() { 0 } else { end }, index < last);
            }
            Part::Varies { kind: Kind::Text, .. } => regex += "(.+?)",
            Part::Varies { kind: Kind::Quantity { unit, .. }, .. } => {
                let unit = match unit.as_str() {
                    "" => String::new(),
                    "s" => format!(" ?(?:{})", TIMES.map(|(name, _)| name).join("|")),
                    unit => format!(" ?{unit}"),
                };
                write!(regex, r"([+-]?[0-9][0-9,]*(?:\.[0-9]+)?{unit})")
                    .expect("a String takes everything");
            }
        }
    }
    Regex::new(&(regex + "$")).expect("all but our own is escaped")
}

fn blanks(count: usize, beside_what_varies: bool) -> String {
    match count {
        1.. if beside_what_varies => " +".into(),
        2.. => " {2,}".into(),
        _ => " ".repeat(count),
    }
}

fn varying(inside: &str) -> Result<Part, String> {
    let (sample, bounds) = match inside.rsplit_once(" in ") {
        Some((sample, bounds)) if bounds.contains("..") => (sample, Some(bounds)),
        _ => (inside, None),
    };
    let kind = match Quantity::parse(sample) {
        None if bounds.is_some() => {
            return Err(format!("`{sample}` is nothing that can have bounds"));
        }
        None => Kind::Text,
        Some(quantity) => {
            let (low, high) = bounds.and_then(|bounds| bounds.split_once("..")).unwrap_or_default();
            let [low, high] = [low, high].map(|text| bound(text, sample, &quantity.unit));
            let [low, high] = [low?, high?];
            if bounds.is_some() && low.or(high).is_none() {
                return Err(format!("`..` is no bound for `{sample}`"));
            }
            if !quantity.is_within(low, high) {
                return Err(format!("`{sample}` is out of its own bounds"));
            }
            Kind::Quantity { unit: quantity.unit, low, high }
        }
    };
    Ok(Part::Varies { sample: sample.into(), bounds: bounds.map(str::to_owned), kind })
}

fn bound(text: &str, sample: &str, unit: &str) -> Result<Option<f64>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = || format!("`{text}` is no bound for `{sample}`");
    let quantity = Quantity::parse(text).ok_or_else(wrong)?;
    if quantity.unit == unit {
        return Ok(Some(quantity.value));
    }
    // Without a unit: that of the sample, which for a time may also be ms.
    let own = sample.trim_start_matches(|c: char| c.is_ascii_digit() || "+-,. ".contains(c));
    let quantity = Quantity::parse(&format!("{text}{own}")).filter(|with| with.unit == unit);
    quantity.map(|quantity| Some(quantity.value)).ok_or_else(wrong)
}

/// `80..120` in words.
fn in_words(bounds: &str) -> String {
    match bounds.split_once("..") {
        Some(("", high)) => format!("at most {high}"),
        Some((low, "")) => format!("at least {low}"),
        Some((low, high)) => format!("{low} to {high}"),
        None => bounds.into(),
    }
}

/// The text, escaped for HTML.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, line: &str) -> bool {
        Pattern::parse(pattern).unwrap().compare(line).is_ok()
    }

    #[test]
    fn what_is_not_marked_is_matched_exactly() {
        assert!(matches("a (b) c", "a (b) c"));
        assert!(matches("a", "a  "));
        assert!(!matches("a (b) c", "a b c"));
        assert!(!matches("a  b", "a b") && !matches("a b", "a  b"));
        assert!(matches("   p50  p99", "  p50    p99"));
    }

    #[test]
    fn a_sample_stands_for_all_of_its_kind() {
        for (pattern, line) in [
            ("port ⟨39196⟩, open", "port 1, open"),
            ("⟨1,234⟩ requests", "99 requests"),
            ("took ⟨1.68s⟩", "took 187µs"),
            ("a core: ⟨97%⟩.", "a core: 8.25%."),
            ("used ⟨+0.4 MB⟩", "used -1.0 MB"),
            ("──⟨──⟩", "────────"),
            ("⟨2⟩ ⟨of them⟩", "12 of us"),
            ("⟨2 kB⟩ ⟨of them⟩", "-1,024.5 kB of us"),
            ("⟨2s⟩ ⟨more⟩", "2.0 µs less"),
            ("⟨2⟩kB", "3kB"),
            ("for ⟨1m 30s⟩", "for 2h 5m"),
            ("⟨one⟩ and ⟨two⟩", "a b and c d"),
            ("a   ⟨1ms⟩   b", "a ⟨1ms⟩ b".replace("⟨1ms⟩", "100.5ms").as_str()),
        ] {
            assert!(matches(pattern, line), "{pattern} {line}");
        }
        for (pattern, line) in [
            ("port ⟨39196⟩, open", "port x, open"),
            ("took ⟨1.68s⟩", "took 12"),
            ("a core: ⟨97%⟩.", "a core: 8.25."),
            ("used ⟨+0.4 MB⟩", "used 1 kB"),
            ("──⟨──⟩", "──"),
        ] {
            assert!(!matches(pattern, line), "{pattern} {line}");
        }
    }

    #[test]
    fn bounds_are_asserted_and_included() {
        let told = |pattern: &str, line| Pattern::parse(pattern).unwrap().compare(line).is_ok();
        assert!(told("⟨97% in 80..100⟩", "80%") && told("⟨97% in 80..100⟩", "100%"));
        assert!(!told("⟨97% in 80..100⟩", "79.9%") && !told("⟨97% in 80..⟩", "7%"));
        assert!(told("⟨1.68s in 900ms..4s⟩", "900ms") && !told("⟨1.68s in 900ms..4s⟩", "4001ms"));
        assert!(told("⟨5ms in ..10⟩", "9ms") && !told("⟨5ms in ..10⟩", "9s"));
        let pattern = Pattern::parse("⟨12 in 10..⟩ connected").unwrap();
        let Err(Some(why)) = pattern.compare("9 connected") else { panic!("9 is not 10") };
        assert_eq!(why, "`9` should be at least 10: 9 connected");
    }

    #[test]
    fn a_new_recording_keeps_marks_and_bounds() {
        let pattern = Pattern::parse("p50   ⟨187µs in ..1s⟩ of ⟨12⟩, ⟨x⟩.").unwrap();
        let line = "p50  1.2ms of 7, why not.";
        assert_eq!(pattern.recorded(line).unwrap(), "p50  ⟨1.2ms in ..1s⟩ of ⟨7⟩, ⟨why not⟩.");
        assert_eq!(pattern.sample(), "p50   187µs of 12, x.");
    }

    #[test]
    fn wrong_marks_are_told() {
        for line in [
            "a ⟨b",
            "a b⟩",
            "⟨text in 1..2⟩",
            "⟨5ms in 1..x⟩",
            "⟨5% in 1ms..⟩",
            "⟨5ms in ..⟩",
            "⟨5ms in 6..7⟩",
            "⟨5 in 9..1⟩",
        ] {
            assert!(Pattern::parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn html_shows_samples_and_bounds() {
        let html = Pattern::parse("<a> ⟨97% in 80..⟩ ⟨1⟩").unwrap().html();
        assert_eq!(
            html,
            "&lt;a&gt; <span class=\"varies bounded\" title=\"varies; tested: at least 80\">97%</span> \
             <span class=\"varies\" title=\"varies\">1</span>"
        );
    }
}
