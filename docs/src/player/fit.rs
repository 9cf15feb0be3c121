//! Whether what was printed is what a block says.

use crate::console::Line;

/// How far the lines of a block fit what was printed.
#[derive(Debug, PartialEq)]
pub(super) enum Fit {
    /// All of them do.
    Fits {
        /// Which line each one (but for gaps) is, by their places among the expected and the
        /// printed.
        pairs: Vec<(usize, usize)>,
        /// How many of the printed lines are used up.
        used: usize,
    },
    /// So far; there must be more.
    SoFar,
    /// They can't, whatever is printed yet.
    Never(String),
}

/// Compares from the first printed line on.
pub(super) fn fit(expected: &[&Line], printed: &[String]) -> Fit {
    let mut pairs = Vec::new();
    fit_from(expected, printed, (0, 0), &mut pairs)
}

fn fit_from(
    expected: &[&Line],
    printed: &[String],
    (mut next, mut line): (usize, usize),
    pairs: &mut Vec<(usize, usize)>,
) -> Fit {
    while let Some(expectation) = expected.get(next) {
        match expectation {
            Line::Printed(pattern) => {
                let Some(text) = printed.get(line) else { return Fit::SoFar };
                match pattern.captures(text) {
                    Ok(_) => pairs.push((next, line)),
                    Err(why) => {
                        let other = || format!("expected: {}\nprinted:  {text}", pattern.sample());
                        return Fit::Never(why.unwrap_or_else(other));
                    }
                }
                line += 1;
            }
            // The shortest gap with which the rest fits; one at the end takes nothing yet.
            _ if next + 1 == expected.len() => {}
            _ => return after_gap(expected, printed, (next + 1, line), pairs),
        }
        next += 1;
    }
    Fit::Fits { pairs: std::mem::take(pairs), used: line }
}

fn after_gap(
    expected: &[&Line],
    printed: &[String],
    (next, line): (usize, usize),
    pairs: &mut Vec<(usize, usize)>,
) -> Fit {
    let before = pairs.clone();
    for begin in line..printed.len() {
        pairs.clone_from(&before);
        if let fits @ Fit::Fits { .. } = fit_from(expected, printed, (next, begin), pairs) {
            return fits;
        }
    }
    Fit::SoFar
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Pattern;

    fn fits(expected: &str, printed: &str) -> Fit {
        let lines: Vec<Line> = expected
            .split(' ')
            .map(|word| match word {
                "…" => Line::Gap,
                word => Line::Printed(Pattern::parse(word).unwrap()),
            })
            .collect();
        let printed: Vec<String> = printed.split_whitespace().map(str::to_owned).collect();
        fit(&lines.iter().collect::<Vec<_>>(), &printed)
    }

    fn used(fit: Fit) -> Option<usize> {
        match fit {
            Fit::Fits { used, .. } => Some(used),
            _ => None,
        }
    }

    #[test]
    fn lines_fit_one_by_one() {
        assert_eq!(fits("a b", "a b c"), Fit::Fits { pairs: vec![(0, 0), (1, 1)], used: 2 });
        assert_eq!(fits("a b", "a"), Fit::SoFar);
        assert!(matches!(fits("a b", "a c"), Fit::Never(_)));
    }

    #[test]
    fn a_gap_takes_as_few_lines_as_it_can() {
        assert_eq!(used(fits("a … b", "a b b")), Some(2));
        assert_eq!(used(fits("a … b c", "a b x b c d")), Some(5));
        assert_eq!(used(fits("… b … c", "a b c")), Some(3));
        assert_eq!(used(fits("a …", "a b c")), Some(1));
        assert_eq!(fits("a … b", "a c d"), Fit::SoFar);
        assert_eq!(fits("… b", "a b"), Fit::Fits { pairs: vec![(1, 1)], used: 2 });
    }
}
