use super::*;
use crate::Step;

const MS: Duration = Duration::from_millis(1);

/// Connects, and then sends `requests` requests: each takes 1 ms to send and 9 ms to be
/// answered.
fn row(requests: u32) -> Row {
    let mut steps = vec![Step::entered(Phase::Connecting, MS)];
    for request in 0..requests {
        let begins = MS * (2 + 10 * request);
        steps.push(Step::entered(Phase::Sending, begins));
        steps.push(Step::entered(Phase::AwaitingReply, begins + MS));
        steps.push(Step::answered(begins + MS * 10));
    }
    let at = MS * (2 + 10 * requests);
    Row { kind: "prompt", number: 7, steps, ended: Some(at), failure: None }
}

#[test]
fn wide_phases_are_bars_of_their_own() {
    let row = row(2);
    let tooltips: Vec<_> = bars(&row, MS * 99, MS).iter().map(|bar| bar.tooltip(&row)).collect();
    assert_eq!(
        tooltips,
        [
            "client 7 (prompt): connecting 1.00 ms (from 1.00 ms to 2.00 ms)",
            "client 7 (prompt): sending 1.00 ms (from 2.00 ms to 3.00 ms)",
            "client 7 (prompt): waiting for the reply 9.00 ms, a reply \
             (from 3.00 ms to 12.0 ms)",
            "client 7 (prompt): sending 1.00 ms (from 12.0 ms to 13.0 ms)",
            "client 7 (prompt): waiting for the reply 9.00 ms, a reply \
             (from 13.0 ms to 22.0 ms)",
        ]
    );
}

#[test]
fn however_many_are_joined_nothing_is_lost() {
    let row = row(100);
    for shortest in [1, 2, 5, 10, 30, 300, 3000].map(|times| MS * times) {
        let bars = bars(&row, MS * 2000, shortest);
        let took = |phase: Phase| bars.iter().map(|bar| bar.took[phase as usize]).sum();
        let took: [Duration; 3] =
            [Phase::Connecting, Phase::Sending, Phase::AwaitingReply].map(took);
        assert_eq!(took, [MS, MS * 100, MS * 900]);
        assert_eq!(bars.iter().map(|bar| bar.replies).sum::<usize>(), 100);
        assert!(bars.windows(2).all(|pair| pair[0].to == pair[1].from));
        assert_eq!((bars[0].from, bars[bars.len() - 1].to), (MS, MS * 1002));
        assert!(bars.len() == 1 || bars.iter().all(|bar| bar.length() >= shortest));
    }
}

#[test]
fn a_joined_bar_is_of_the_phase_that_took_longest() {
    let row = row(100);
    let joined = &bars(&row, MS, MS * 3000)[0];
    assert!(joined.is_joined());
    assert_eq!(joined.phase(), Phase::AwaitingReply);
    assert_eq!(
        joined.tooltip(&row),
        "client 7 (prompt): connecting 1.00 ms, sending 100 ms, waiting for the reply \
         900 ms, 100 replies (from 1.00 ms to 1.00 s)"
    );
}

#[test]
fn an_open_row_goes_on_to_the_end() {
    let open = Row { ended: None, ..row(1) };
    assert_eq!(bars(&open, MS * 50, MS).last().unwrap().to, MS * 50);
    let unopened = Row { steps: Vec::new(), ..open };
    assert!(bars(&unopened, MS * 50, MS).is_empty());
}
