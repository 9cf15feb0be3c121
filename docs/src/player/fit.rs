//! Whether the output is what a block shows.

use crate::console::Line;

/// The lines of a block, and how many of them fit so far.
pub(super) struct Fitting<'a> {
    expected: &'a [Line],
    /// Which of them (except gaps) matches which of the printed lines, by their indices.
    pub(super) pairs: Vec<(usize, usize)>,
    /// The index of the next printed line: this many are used up.
    pub(super) line: usize,
    /// The index of the next expected line.
    next: usize,
    /// Where the lines after the last gap begin, if there was one.
    after_gap: Option<Place>,
    /// What is wrong with a line that a gap has taken and that would fit, except for a number that
    /// is out of its bounds.
    pub(super) out_of_bounds: Option<String>,
}

#[derive(Clone, Copy)]
struct Place {
    pairs: usize,
    line: usize,
    next: usize,
}

impl<'a> Fitting<'a> {
    /// For a block that may begin with a gap, namely the one with which the last block ended.
    pub(super) fn new(expected: &'a [Line], gap: bool) -> Self {
        let after_gap = gap.then_some(Place { pairs: 0, line: 0, next: 0 });
        Fitting { expected, pairs: Vec::new(), line: 0, next: 0, after_gap, out_of_bounds: None }
    }

    /// Continues with everything that was `printed`, from its first line on, and returns whether
    /// the block is done.
    ///
    /// Each gap is the shortest after which the lines up to the next gap fit. A longer one can't
    /// be better, since the next gap takes whatever is left over; one at the end takes nothing yet.
    ///
    /// # Errors
    ///
    /// The difference, if the lines can't fit, whatever is printed later.
    pub(super) fn fit(&mut self, printed: &[String]) -> Result<bool, String> {
        while let Some(expectation) = self.expected.get(self.next) {
            let Line::Printed(pattern) = expectation else {
                self.next += 1;
                let (pairs, line, next) = (self.pairs.len(), self.line, self.next);
                self.after_gap = Some(Place { pairs, line, next });
                continue;
            };
            let Some(text) = printed.get(self.line) else { return Ok(false) };
            let Err(why) = pattern.compare(text) else {
                self.pairs.push((self.next, self.line));
                self.line += 1;
                self.next += 1;
                continue;
            };
            let Some(place) = &mut self.after_gap else {
                let other = || format!("expected: {}\nprinted:  {text}", pattern.sample());
                return Err(why.unwrap_or_else(other));
            };
            // The gap takes a line more.
            place.line += 1;
            (self.line, self.next) = (place.line, place.next);
            self.pairs.truncate(place.pairs);
            self.out_of_bounds = why.or(self.out_of_bounds.take());
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Pattern;

    /// How many of the printed lines are used up, if all of the expected ones fit.
    fn used(expected: &str, printed: &str) -> Result<Option<usize>, String> {
        let line = |word: &str| match word {
            "…" => Line::Gap,
            word => Line::Printed(Pattern::parse(word).unwrap()),
        };
        let expected: Vec<Line> = expected.split(' ').map(line).collect();
        let printed: Vec<String> = printed.split(' ').map(str::to_owned).collect();
        let mut at_once = Fitting::new(&expected, false);
        let done = at_once.fit(&printed);
        let mut one_by_one = Fitting::new(&expected, false);
        let last = (0..=printed.len()).map(|count| one_by_one.fit(&printed[..count])).last();
        assert_eq!(last.as_ref(), Some(&done));
        assert_eq!(at_once.pairs, one_by_one.pairs);
        done.map(|done| done.then_some(at_once.line))
    }

    #[test]
    fn lines_fit_one_by_one() {
        assert_eq!(used("a b", "a b c"), Ok(Some(2)));
        assert_eq!(used("a b", "a"), Ok(None));
        assert_eq!(used("a b", "a c").unwrap_err(), "expected: b\nprinted:  c");
    }

    #[test]
    fn a_gap_takes_as_few_lines_as_it_can() {
        assert_eq!(used("a … b", "a b b"), Ok(Some(2)));
        assert_eq!(used("a … b c", "a b x b c d"), Ok(Some(5)));
        assert_eq!(used("a … b b c", "a b b b c"), Ok(Some(5)));
        assert_eq!(used("… b … c", "a b c"), Ok(Some(3)));
        assert_eq!(used("… a b … c … d", "a a b d c b d"), Ok(Some(7)));
        assert_eq!(used("a …", "a b c"), Ok(Some(1)));
        assert_eq!(used("a … … b", "a c b"), Ok(Some(3)));
        assert_eq!(used("a … b", "a c d"), Ok(None));
    }

    #[test]
    fn places_are_those_in_the_block() {
        let expected = [Line::Gap, Line::Printed(Pattern::parse("b").unwrap())];
        let mut fitting = Fitting::new(&expected, false);
        assert_eq!(fitting.fit(&["a".into(), "b".into()]), Ok(true));
        assert_eq!(fitting.pairs, [(1, 1)]);
        let mut fitting = Fitting::new(&expected[1..], true);
        assert_eq!(fitting.fit(&["a".into(), "b".into()]), Ok(true));
        assert_eq!(fitting.pairs, [(0, 1)]);
    }

    #[test]
    fn a_number_out_of_bounds_is_remembered_behind_a_gap() {
        let expected = [Line::Gap, Line::Printed(Pattern::parse("⟨5 in 3..⟩ left").unwrap())];
        let mut fitting = Fitting::new(&expected, false);
        assert_eq!(fitting.fit(&["2 left".into(), "so it is".into()]), Ok(false));
        assert_eq!(fitting.out_of_bounds.unwrap(), "`2` should be at least 3: 2 left");
    }
}
