//! What goes wrong, and when.

use std::thread::sleep;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use crate::asking::leader;
use crate::history::now;
use crate::hosts::Hosts;
use crate::members::Members;

#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    /// From when until when, in microseconds.
    pub(crate) begin: u64,
    pub(crate) end: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    LeaderKilled,
    FollowerKilled,
    LeaderStopped,
    FollowerStopped,
    LeaderSlow,
    FollowerSlow,
    LeaderCutOff,
    FollowerCutOff,
    MajorityLost,
    AllRestarted,
}

const KINDS: [Kind; 10] = [
    Kind::LeaderKilled,
    Kind::FollowerKilled,
    Kind::LeaderStopped,
    Kind::FollowerStopped,
    Kind::LeaderSlow,
    Kind::FollowerSlow,
    Kind::LeaderCutOff,
    Kind::FollowerCutOff,
    Kind::MajorityLost,
    Kind::AllRestarted,
];

/// One fault after the other for so long, with time to recover between; all is well at the end.
pub(crate) fn run(
    members: &mut Members,
    hosts: &Hosts,
    seed: u64,
    lasting: Duration,
) -> Vec<Fault> {
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    let begun = Instant::now();
    let mut faults = Vec::new();
    let mut waiting: Vec<Kind> = Vec::new();
    sleep(Duration::from_secs(2));
    // The last seconds are for looking whether all is well again.
    while begun.elapsed() + Duration::from_secs(12) < lasting {
        // Each kind comes once before any comes again.
        if waiting.is_empty() {
            waiting = KINDS.to_vec();
        }
        let kind = waiting.swap_remove(index(&mut random, waiting.len()));
        let is_cut = matches!(kind, Kind::LeaderCutOff | Kind::FollowerCutOff);
        if is_cut && !hosts.can_be_cut() {
            continue;
        }
        let held = Duration::from_millis(2_000 + random.next_u64() % 2_000);
        let leader = leader(members);
        let followers = [1, 2].map(|more| (leader + more) % 3);
        let follower = followers[index(&mut random, 2)];
        let begin = now();
        match kind {
            Kind::LeaderKilled => killed(members, &[leader], held),
            Kind::FollowerKilled => killed(members, &[follower], held),
            Kind::LeaderStopped => stopped(members, &[leader], held),
            Kind::FollowerStopped => stopped(members, &[follower], held),
            Kind::LeaderSlow => slow(members, leader, held),
            Kind::FollowerSlow => slow(members, follower, held),
            Kind::LeaderCutOff => cut_off(hosts, leader, held),
            Kind::FollowerCutOff => cut_off(hosts, follower, held),
            Kind::MajorityLost => stopped(members, &[leader, follower], held),
            Kind::AllRestarted => killed(members, &[0, 1, 2], Duration::from_millis(200)),
        }
        faults.push(Fault {
            kind,
            begin,
            end: now(),
        });
        sleep(Duration::from_millis(2_500));
    }
    faults
}

fn index(random: &mut ChaCha20Rng, count: usize) -> usize {
    usize::try_from(random.next_u64() % count as u64).unwrap()
}

fn killed(members: &mut Members, which: &[usize], held: Duration) {
    for at in which {
        members.kill(*at);
    }
    sleep(held);
    members.start_again(which);
}

fn stopped(members: &Members, which: &[usize], held: Duration) {
    for at in which {
        members.stop(*at);
    }
    sleep(held);
    for at in which {
        members.go_on(*at);
    }
}

/// Lets a member go on for a moment only, again and again.
fn slow(members: &Members, at: usize, held: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < held {
        members.stop(at);
        sleep(Duration::from_millis(120));
        members.go_on(at);
        sleep(Duration::from_millis(30));
    }
}

fn cut_off(hosts: &Hosts, at: usize, held: Duration) {
    hosts.cable(at, "down");
    sleep(held);
    hosts.cable(at, "up");
}
