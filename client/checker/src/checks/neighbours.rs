//! Slow clients, and one beside them who is not.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::scene::{Attempt, Scene, Trouble};
use crate::visitor::Visitor;

/// More than a handful of threads or processes that somebody may have prepared for all.
const SLOW_ONES: usize = 5;

/// How long a dribbling client waits after each byte.
const DRIBBLE: Duration = Duration::from_millis(20);

pub(super) fn silent(scene: &Scene) -> Attempt {
    slow(scene, b"", "five silent clients were connected")
}

pub(super) fn half_sent(scene: &Scene) -> Attempt {
    slow(scene, b"hello fr", "five clients had sent half a request")
}

/// Clients that say no more than `beginning`, until somebody else has been answered.
fn slow(scene: &Scene, beginning: &[u8], circumstances: &str) -> Attempt {
    let mut slow = Vec::new();
    for _ in 0..SLOW_ONES {
        let mut visitor = Visitor::connect(scene)?;
        visitor.send(beginning)?;
        slow.push(visitor);
    }
    scene.ask_as_anybody().map_err(|why| why.when(circumstances))?;
    for mut visitor in slow {
        visitor.ask()?;
        visitor.replies(1).map_err(|why| why.when("one who had been slow asked at last"))?;
    }
    Ok(None)
}

pub(super) fn dribbling(scene: &Scene) -> Attempt {
    let mut dribbling = Visitor::connect(scene)?;
    dribbling.send(b"h")?;
    let (stop, stopped) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let dribbling = thread::Builder::new().spawn_scoped(scope, move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(DRIBBLE) {
                dribbling.send(b"m")?;
            }
            dribbling.send(b"\n")?;
            dribbling.replies(1)
        });
        let why = |error| Trouble::NotTried(format!("the checker gets no thread: {error}"));
        let dribbling = dribbling.map_err(why)?;
        let asked = (0..3).try_for_each(|_| {
            thread::sleep(2 * DRIBBLE);
            scene.ask_as_anybody().map_err(|why| why.when("another client sent a byte every 20 ms"))
        });
        drop(stop);
        let dribbled = match dribbling.join() {
            Ok(dribbled) => dribbled,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        asked?;
        dribbled.map_err(|why| why.when("the one who sent a byte every 20 ms"))?;
        Ok(None)
    })
}
