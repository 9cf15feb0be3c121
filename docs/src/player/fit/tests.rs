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
