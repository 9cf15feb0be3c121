//! Pictures of handmade timelines: whatever is in them is valid XML, is shown, and is true.

use std::time::Duration;

use load_generator::Phase;
use load_generator::report::{Failure, Stage};
use roxmltree::{Document, Node};
use timeline::{Picture, Row, Step, Timeline};

const MS: Duration = Duration::from_millis(1);

/// Client `number` of those of a blocking server, each of which takes a millisecond for each
/// of its requests.
fn row(kind: &'static str, number: usize, requests: u32) -> Row {
    let begins = MS * number as u32;
    let mut steps = vec![Step::entered(Phase::Connecting, Duration::ZERO)];
    for request in 0..requests {
        let sends = begins + MS * request;
        steps.push(Step::entered(Phase::Sending, sends));
        steps.push(Step::entered(Phase::AwaitingReply, sends + MS / 20));
        steps.push(Step::answered(sends + MS));
    }
    Row { kind, number, steps, ended: Some(begins + MS * requests), failure: None }
}

fn timeline(rows: Vec<Row>) -> Timeline {
    let ends = rows.iter().filter_map(|row| row.ended);
    Timeline { length: ends.max().unwrap_or_default(), rows, full_at: None }
}

fn fail(row: &mut Row, stage: Stage, why: &str) {
    let at = row.steps.last().unwrap().at() + MS;
    let failure = Failure { stage, why: why.into(), is_ours: false };
    (row.ended, row.failure) = (Some(at), Some(failure));
}

fn texts(svg: &str, name: &str) -> Vec<String> {
    let document = Document::parse(svg).unwrap();
    let text = |node: Node| node.text().unwrap_or_default().trim().to_string();
    document.descendants().filter(|node| node.has_tag_name(name)).map(text).collect()
}

fn text_of(svg: &str) -> String {
    texts(svg, "text").join("\n")
}

#[test]
fn every_client_has_its_row_and_its_tooltips() {
    let rows = (0..20).map(|number| row("prompt", number, 1)).collect();
    let svg = Picture::default().svg(&timeline(rows));
    let (text, tooltips) = (text_of(&svg), texts(&svg, "title"));
    assert!(text.contains("prompt: 20 clients\n"), "{text}");
    for number in 0..20 {
        assert!(text.lines().any(|line| line == number.to_string()), "{text}");
        let who = format!("client {number} (prompt): ");
        let about: Vec<_> = tooltips.iter().filter(|tooltip| tooltip.starts_with(&who)).collect();
        let reply = format!("a reply (from {number}.05 ms");
        assert!(
            !(1..=9).contains(&number) || about.iter().any(|it| it.contains(&reply)),
            "{about:?}"
        );
    }
    for name in ["connecting", "waiting for the reply", "sending"] {
        assert!(text.contains(name), "{text}");
    }
    for name in ["can't send any more", "closed early", "not started yet", "drawn together"] {
        assert!(!text.contains(name), "only what occurs is explained: {text}");
    }
}

#[test]
fn the_same_timeline_gives_the_same_text() {
    let rows: Vec<_> = (0..100).map(|number| row("prompt", number, 3)).collect();
    let picture = Picture { replay: true, ..Picture::default() };
    let svg = picture.svg(&timeline(rows.clone()));
    assert_eq!(svg, picture.svg(&timeline(rows)));
}

#[test]
fn whatever_a_text_contains_it_is_xml() {
    let evil = "</text><script>&amp; \"'\u{0}\u{1b}[31m\u{fffe}";
    let mut failed = row("prompt", 0, 1);
    fail(&mut failed, Stage::Reply, evil);
    let picture = Picture {
        title: evil.into(),
        lines: vec![evil.into(), "x".repeat(500)],
        caption: Some(evil.into()),
        ..Picture::default()
    };
    let svg = picture.svg(&timeline(vec![failed]));
    let harmless = "</text><script>&amp; \"'\u{fffd}\u{fffd}[31m\u{fffd}";
    let failure = format!("client 0 (prompt): reply at 2.00 ms: {harmless}");
    assert!(texts(&svg, "title").contains(&failure), "{svg}");
    assert!(text_of(&svg).contains(harmless), "{svg}");
    assert_eq!(text_of(&svg).matches('x').count(), 503, "too long for a line, and not cut");
}

#[test]
fn what_is_not_shown_is_named() {
    let mut few: Vec<_> = (0..10).map(|number| row("prompt", number, 1)).collect();
    fail(&mut few[5], Stage::ClosedEarly, "the server died");
    let all = text_of(&Picture::default().svg(&timeline(few)));
    assert!(all.contains("prompt: 10 clients\n"), "they are shown together: {all}");
    let mut rows: Vec<_> = (0..1000).map(|number| row("prompt", number, 1)).collect();
    for number in [123, 456, 789] {
        fail(&mut rows[number], Stage::ClosedEarly, "the server died");
    }
    rows.extend((0..30).map(|number| row("dribbling", number, 1)));
    let svg = Picture::default().svg(&timeline(rows));
    let text = text_of(&svg);
    for heading in [
        "prompt: 997 clients, 33 of them shown",
        "prompt, failed: 3 clients\n",
        "dribbling: 30 clients, 8 of them shown",
        "closed early by the server",
    ] {
        assert!(text.contains(heading), "{text}");
    }
    for number in ["0", "29", "123", "456", "789", "999"] {
        assert!(text.lines().any(|line| line == number), "{number} in {text}");
    }
}

#[test]
fn a_hundred_thousand_requests_make_a_file_of_a_megabyte() {
    let rows = (0..1000).map(|number| row("prompt", number, 100)).collect();
    let svg = Picture { replay: true, ..Picture::default() }.svg(&timeline(rows));
    assert!(svg.len() < 1_200_000, "{} bytes", svg.len());
    let replies = |tooltip: &String| {
        let (count, _) = tooltip.split_once(" replies")?;
        count.rsplit(' ').next()?.parse::<usize>().ok()
    };
    let shown: usize = texts(&svg, "title").iter().filter_map(replies).sum();
    let alone = svg.matches("a reply (").count();
    assert_eq!(shown + alone, 50 * 100, "all replies of the rows that are shown");
    assert!(text_of(&svg).contains("are drawn together"));
}

#[test]
fn a_long_stall_is_torn() {
    let mut rows: Vec<_> = (0..20).map(|number| row("prompt", number, 1)).collect();
    let late = Duration::from_secs(10);
    for row in &mut rows[10..] {
        let why = "no reply has come".into();
        let failure = Failure { stage: Stage::TimedOut, why, is_ours: false };
        (row.ended, row.failure) = (Some(late), Some(failure));
    }
    let shown = text_of(&Picture::default().svg(&timeline(rows.clone())));
    assert!(shown.contains("nothing moved\nfor 9.98 s"), "{shown}");
    assert!(shown.contains("5 ms\n"), "the rest is to scale: {shown}");
    let compared = Picture { until: Some(late), ..Picture::default() };
    let shown = text_of(&compared.svg(&timeline(rows)));
    assert!(!shown.contains("nothing moved"), "not if it is compared: {shown}");
}

#[test]
fn a_wait_for_replies_is_not_torn() {
    let mut row = row("prompt", 0, 1);
    let late = Duration::from_secs(10);
    row.steps.pop();
    row.steps.push(Step::answered(late));
    row.ended = Some(late);
    let shown = text_of(&Picture::default().svg(&timeline(vec![row])));
    assert!(!shown.contains("nothing moved"), "{shown}");
}

#[test]
fn pictures_on_one_page_share_an_axis_and_no_names() {
    let until = Some(MS * 100);
    let picture = |id: &str| Picture { id: id.into(), until, replay: true, ..Picture::default() };
    let short = picture("one").svg(&timeline(vec![row("prompt", 0, 2)]));
    let long = picture("two").svg(&timeline(vec![row("prompt", 0, 100)]));
    let page = format!("<html>{short}{long}</html>");
    let document = Document::parse(&page).unwrap();
    let ids: Vec<_> = document.descendants().filter_map(|node| node.attribute("id")).collect();
    assert_eq!(ids, ["one", "one-title", "one-description", "two", "two-title", "two-description"]);
    let ticks = |svg: &str| text_of(svg).lines().filter(|it| it.ends_with("0 ms")).count();
    assert_eq!((ticks(&short), ticks(&long)), (7, 7), "and the time of the last reply");
    for (sheet, id) in [(texts(&short, "style"), "one"), (texts(&long, "style"), "two")] {
        let sheet = sheet.join("\n");
        let rules = sheet.lines().filter(|line| line.contains('{'));
        for rule in rules.filter(|rule| !rule.starts_with("@media")) {
            let applies = [format!("#{id} "), format!("#{id}:"), format!("@keyframes {id}-")];
            assert!(applies.iter().any(|start| rule.starts_with(start)), "{rule}");
        }
    }
}

#[test]
fn timelines_with_one_beginning_are_put_together() {
    let mut both = timeline(vec![row("slow", 0, 50)]);
    both.append(timeline(vec![row("prompt", 0, 10), row("prompt", 1, 10)]));
    both.full_at = Some(MS * 50);
    let shown = text_of(&Picture::default().svg(&both));
    assert!(shown.contains("slow: 1 client\n") && shown.contains("prompt: 2 clients\n"), "{shown}");
    assert!(shown.contains("The recording was full after 50.0 ms"), "{shown}");
}

#[test]
fn an_empty_timeline_can_be_drawn() {
    let svg = Picture { replay: true, rows: 0, ..Picture::default() };
    text_of(&svg.svg(&Timeline::default()));
    text_of(&svg.svg(&timeline(vec![row("prompt", 0, 1)])));
}

/// Something that is drawn: its class, and where.
#[derive(Debug)]
struct Drawn {
    class: String,
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

/// The bars of the rows, which are the rectangles with a tooltip.
fn bars(svg: &str) -> Vec<Drawn> {
    let document = Document::parse(svg).unwrap();
    let bars = document.descendants().filter(|node| {
        node.has_tag_name("rect") && node.children().any(|it| it.has_tag_name("title"))
    });
    let drawn = |bar: Node| {
        let number = |name| bar.attribute(name).unwrap().parse().unwrap();
        let [x, y, width, height] = ["x", "y", "width", "height"].map(number);
        Drawn { class: bar.attribute("class").unwrap().into(), x, y, width, height }
    };
    bars.map(drawn).collect()
}

#[test]
fn a_client_that_waits_for_others_has_a_thinner_bar_around_the_same_middle() {
    let mut row = row("prompt", 0, 5);
    row.steps.insert(1, Step::entered(Phase::Held, MS / 2));
    row.steps.iter_mut().skip(2).for_each(|step| *step = later(*step, MS));
    row.ended = Some(MS * 6);
    let bars = bars(&Picture::default().svg(&timeline(vec![row])));
    assert_eq!(bars.len(), 2 + 2 * 5, "{bars:?}");
    let held = bars.iter().find(|bar| bar.class == "held").unwrap();
    for bar in &bars {
        let (middle, of_held) = (bar.y + bar.height / 2.0, held.y + held.height / 2.0);
        assert!((middle - of_held).abs() < 0.2, "{bars:?}");
        assert!(bar.class == "held" || bar.height > 2.0 * held.height, "{bars:?}");
    }
}

fn later(step: Step, by: Duration) -> Step {
    match step.phase {
        Some(phase) => Step::entered(phase, step.at() + by),
        None => Step::answered(step.at() + by),
    }
}

#[test]
fn every_bar_can_be_seen_and_lies_within_the_axis() {
    let short = row("prompt", 0, 1);
    let long = Row { kind: "slow", ..row("prompt", 0, 20_000) };
    let picture = Picture { until: Some(MS * 5000), ..Picture::default() };
    let bars = bars(&picture.svg(&timeline(vec![short, long])));
    assert!(bars.len() > 3);
    for Drawn { x, width, .. } in bars {
        assert!(width >= 1.0 && x >= 62.0 && x + width <= 960.0, "{x} {width}");
    }
}

#[test]
fn there_are_not_more_bars_and_marks_than_can_be_distinguished() {
    let rows: Vec<_> = (0..50).map(|number| row("prompt", number, 1000)).collect();
    let svg = Picture::default().svg(&timeline(rows));
    let bars = bars(&svg).len();
    assert!((1000..=4000).contains(&bars), "{bars} bars");
    let document = Document::parse(&svg).unwrap();
    let marks = document
        .descendants()
        .filter(|node| node.has_tag_name("path") && node.attribute("class") == Some("reply"));
    let most = marks.map(|node| node.attribute("d").unwrap().matches('M').count()).max();
    assert!((100..=330).contains(&most.unwrap()), "{most:?} marks in a row");
}

#[test]
fn a_client_that_begins_late_has_a_line_before() {
    let mut late = row("prompt", 1, 1);
    late.steps.iter_mut().for_each(|step| *step = later(*step, MS * 5));
    late.ended = Some(MS * 7);
    let svg = Picture::default().svg(&timeline(vec![row("prompt", 0, 3), late]));
    assert!(text_of(&svg).contains("not started yet"), "{svg}");
}

#[test]
fn a_stall_that_is_not_long_is_drawn_to_scale() {
    let given_up = |moved: u32| {
        let mut rows = vec![row("prompt", 0, moved), row("prompt", 1, 1)];
        let why = "no reply has come".into();
        let failure = Failure { stage: Stage::TimedOut, why, is_ours: false };
        (rows[1].ended, rows[1].failure) = (Some(MS * 1000), Some(failure));
        text_of(&Picture::default().svg(&timeline(rows)))
    };
    assert!(given_up(100).contains("nothing moved\nfor 900 ms"), "{}", given_up(100));
    assert!(!given_up(500).contains("nothing moved"), "{}", given_up(500));
    // Closing counts as movement too.
    let mut closed_late = row("prompt", 0, 1);
    closed_late.ended = Some(MS * 800);
    let mut failed = row("prompt", 1, 1);
    let why = "no reply has come".into();
    let failure = Failure { stage: Stage::TimedOut, why, is_ours: false };
    (failed.ended, failed.failure) = (Some(MS * 1000), Some(failure));
    let shown = text_of(&Picture::default().svg(&timeline(vec![closed_late, failed])));
    assert!(!shown.contains("nothing moved"), "{shown}");
}
