//! CPU time, which other programs on the machine disturb less than the time that passes.

use std::time::{Duration, Instant};

/// Ticks in a second, in which Linux counts the time of processes.
const TICKS: f64 = 100.0;

/// The CPU time that a process has used, in seconds.
pub(crate) fn of(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The name in parentheses may hold anything.
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let fields: Vec<&str> = fields.split(' ').collect();
    let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / TICKS
}

/// The CPU time of a call, in microseconds, by repeating it for so long.
pub(crate) fn of_call(during: Duration, mut call: impl FnMut()) -> f64 {
    let (began, before, mut calls) = (Instant::now(), of(std::process::id()), 0_u32);
    while began.elapsed() < during {
        call();
        calls += 1;
    }
    (of(std::process::id()) - before) * 1e6 / f64::from(calls)
}
