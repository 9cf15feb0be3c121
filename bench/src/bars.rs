//! Bars in plain characters, on a logarithmic scale.

use std::iter;
use std::time::Duration;

/// The longest bar, in characters. With a name before it and a figure after it, a line fits into 80
/// columns.
const LONGEST: f64 = 40.0;

/// One bar.
pub struct Bar {
    /// What it is about.
    pub name: String,
    /// Its length.
    pub time: Duration,
    /// The figure after it.
    pub figure: String,
}

/// Groups of bars on one scale, each group below its heading.
///
/// The scale is logarithmic, because the times may differ by a factor of ten thousand. It begins at
/// the power of ten below the shortest time, and the line at the end says which lengths mean what.
pub fn bars(groups: &[(String, Vec<Bar>)]) -> String {
    let all = || groups.iter().flat_map(|(_, bars)| bars);
    let exponents = || all().map(|bar| bar.time.as_secs_f64().max(1e-9).log10());
    let (Some(least), Some(most)) =
        (exponents().min_by(f64::total_cmp), exponents().max_by(f64::total_cmp))
    else {
        return String::new();
    };
    let first = least.floor();
    let last = most.ceil().max(first + 1.0);
    let decade = LONGEST / (last - first);
    let width = all().map(|bar| bar.name.chars().count()).max().unwrap_or_default();
    let line = |Bar { name, time, figure }: &Bar| {
        let length = (time.as_secs_f64().max(1e-9).log10() - first) * decade;
        let bar = "#".repeat((length.round() as usize).max(1));
        format!("  {name:width$}  {bar} {figure}")
    };
    let group = |(heading, bars): &(String, Vec<Bar>)| {
        let lines: Vec<String> = iter::once(heading.clone()).chain(bars.iter().map(line)).collect();
        lines.join("\n")
    };
    let groups: Vec<String> = groups.iter().map(group).collect();
    format!("{}\nEach {:.0} characters stand for ten times as long.", groups.join("\n"), decade)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(name: &str, time: Duration, figure: &str) -> Bar {
        Bar { name: name.into(), time, figure: figure.into() }
    }

    #[test]
    fn ten_times_as_long_is_always_the_same_step() {
        let group = vec![
            bar("one", Duration::from_micros(1000), "1.00ms"),
            bar("three", Duration::from_millis(10), "10.0ms"),
            bar("two", Duration::from_millis(100), "100ms"),
        ];
        let text = bars(&[("a few".into(), group)]);
        let lengths: Vec<usize> =
            text.lines().map(|line| line.chars().filter(|it| *it == '#').count()).collect();
        assert_eq!(lengths, [0, 1, 20, 40, 0]);
        assert!(text.ends_with("Each 20 characters stand for ten times as long."), "{text}");
        assert!(text.contains("\n  three  ####"), "{text}");
    }

    #[test]
    fn without_bars_there_is_no_text() {
        assert_eq!(bars(&[]), "");
        assert_eq!(bars(&[("nothing".into(), Vec::new())]), "");
    }
}
