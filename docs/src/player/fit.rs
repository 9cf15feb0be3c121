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
mod tests;
