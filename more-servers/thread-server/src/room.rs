//! How many threads a process has room for.
//!
//! When there is no room for one more, pthread_create(3) returns EAGAIN, and the server goes on.
//! But a thread of std also maps a stack for signals, after it has started, and if there is no room
//! for *that*, it panics where the panic can't be caught: the whole process ends, and with it all
//! connections (16,289 when we tried it). So the server never starts that many.
//!
//! Left out: `ulimit -v`, which can have the same effect.

/// How many mappings a thread takes: its stack, a stack for signals, and a guard page before each.
#[cfg(target_os = "linux")]
const MAPPINGS_OF_ONE: u32 = 4;

/// How many mappings are for other things. A program and its libraries take some fifty. Most are
/// for the heaps that the C library keeps for threads: eight for each core, two mappings each.
#[cfg(target_os = "linux")]
const OTHER_MAPPINGS: u32 = 2000;

/// How many threads can serve clients, whatever `--max-threads` or `--pool` say: on Linux,
/// `/proc/sys/vm/max_map_count` limits the memory mappings of a process.
#[cfg(target_os = "linux")]
pub fn most_threads() -> u32 {
    // The default of Linux, in case the file can't be read.
    const UNLESS_CHANGED: u32 = 65_530;
    let allowed = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok();
    let allowed = allowed.and_then(|text| text.trim().parse().ok()).unwrap_or(UNLESS_CHANGED);
    (allowed.saturating_sub(OTHER_MAPPINGS) / MAPPINGS_OF_ONE).max(1)
}

/// Left out: what limits threads on other systems.
#[cfg(not(target_os = "linux"))]
pub fn most_threads() -> u32 {
    u32::MAX
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_the_threads_and_for_other_things() {
        let allowed = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap();
        let allowed: u32 = allowed.trim().parse().unwrap();
        let left = allowed - most_threads() * MAPPINGS_OF_ONE;
        assert!((OTHER_MAPPINGS..OTHER_MAPPINGS + MAPPINGS_OF_ONE).contains(&left), "{left}");
    }
}
