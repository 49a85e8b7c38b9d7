use proptest::prelude::*;

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The device of this number.
fn device(number: u8) -> DeviceId {
    DeviceId::parse(&format!("{number:02x}").repeat(32)).unwrap()
}

fn lockouts() -> Lockouts {
    Lockouts::new(&GatewayLimits::default())
}

fn locked(seconds: u64) -> Result<(), Locked> {
    Err(Locked {
        retry_after: Duration::from_secs(seconds),
    })
}

const OUTSIDE: &str = "192.0.2.1";

#[test]
fn ten_in_a_minute_lock_an_address_out_for_five() {
    let lockouts = lockouts();
    let subject = Subject::secret(ip(OUTSIDE));
    for second in 0..10 {
        assert_eq!(lockouts.check(subject, at(second)), Ok(()));
        assert_eq!(lockouts.failed(subject, at(second)), None);
    }
    assert_eq!(lockouts.check(subject, at(9)), locked(300));
    assert_eq!(lockouts.check(subject, at(308)), locked(1));
    assert_eq!(lockouts.check(subject, at(309)), Ok(()));
    // And anew: what was before does not count.
    for _ in 0..9 {
        lockouts.failed(subject, at(309));
    }
    assert_eq!(lockouts.check(subject, at(309)), Ok(()));
    lockouts.failed(subject, at(309));
    assert_eq!(lockouts.check(subject, at(309)), locked(300));
}

#[test]
fn t106_all_loopback_addresses_are_slowed_together() {
    let lockouts = lockouts();
    let delays: Vec<_> = ["127.0.0.1", "127.255.3.9", "::1", "::ffff:127.0.0.7"]
        .iter()
        .map(|address| lockouts.failed(Subject::secret(ip(address)), at(0)))
        .collect();
    assert!(delays.is_sorted(), "{delays:?}");
    assert!(delays[0] < delays[3], "{delays:?}");
    let again = lockouts.failed(Subject::secret(ip("127.0.0.1")), at(0));
    assert!(again >= delays[3], "{again:?}");
}

#[test]
fn failures_count_for_a_minute_wherever_it_begins() {
    let lockouts = lockouts();
    let subject = Subject::secret(ip(OUTSIDE));
    for second in [0, 50, 51, 52, 53, 54, 55, 56, 57, 60] {
        lockouts.failed(subject, at(second));
    }
    assert_eq!(lockouts.check(subject, at(60)), Ok(()), "the first is over");
    lockouts.failed(subject, at(70));
    assert_eq!(lockouts.check(subject, at(70)), locked(300));
}

#[test]
fn a_lock_does_not_become_longer_by_what_was_under_way() {
    let lockouts = lockouts();
    let subject = Subject::secret(ip(OUTSIDE));
    for second in [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 200] {
        lockouts.failed(subject, at(second));
    }
    assert_eq!(lockouts.check(subject, at(299)), locked(1));
    assert_eq!(lockouts.check(subject, at(300)), Ok(()));
}

#[test]
fn who_knows_it_starts_anew() {
    let lockouts = lockouts();
    let subject = Subject::secret(ip(OUTSIDE));
    for _ in 0..9 {
        lockouts.failed(subject, at(0));
    }
    lockouts.succeeded(subject);
    lockouts.failed(subject, at(0));
    assert_eq!(lockouts.check(subject, at(0)), Ok(()));
    for _ in 0..9 {
        lockouts.failed(subject, at(0));
    }
    lockouts.succeeded(subject);
    assert_eq!(lockouts.check(subject, at(0)), locked(300));
}

#[test]
fn t99_a_bogus_device_does_not_evade_the_count_of_the_shared_secret() {
    let lockouts = lockouts();
    let address = ip(OUTSIDE);
    // Guesses at the secret count to the address alone; those at device tokens beside them change nothing.
    for number in 0..10 {
        lockouts.failed(Subject::device_token(address, device(number)), at(0));
        lockouts.failed(Subject::secret(address), at(0));
    }
    assert_eq!(lockouts.check(Subject::secret(address), at(0)), locked(300));
}

#[test]
fn t99_every_class_is_throttled_on_its_own() {
    let lockouts = lockouts();
    let address = ip(OUTSIDE);
    let subjects = [
        Subject::secret(address),
        Subject::pairing_token(address),
        Subject::device_token(address, device(1)),
    ];
    for (number, subject) in subjects.into_iter().enumerate() {
        for other in &subjects[number..] {
            assert_eq!(lockouts.check(*other, at(0)), Ok(()), "{:?}", other.class());
        }
        for _ in 0..10 {
            lockouts.failed(subject, at(0));
        }
        assert_eq!(
            lockouts.check(subject, at(0)),
            locked(300),
            "{:?}",
            subject.class()
        );
    }
    let other = Subject::device_token(address, device(2));
    assert_eq!(
        lockouts.check(other, at(0)),
        Ok(()),
        "another device is innocent"
    );
}

#[test]
fn t99_an_address_has_one_count_however_it_is_written() {
    let lockouts = lockouts();
    for number in 0..10 {
        let address = ["192.0.2.1", "::ffff:192.0.2.1"][number % 2];
        lockouts.failed(Subject::secret(ip(address)), at(0));
        let address = format!("2001:db8:0:7:{number}::1");
        lockouts.failed(Subject::secret(ip(&address)), at(0));
    }
    for (address, expected) in [
        ("192.0.2.1", locked(300)),
        ("::ffff:c000:201", locked(300)),
        ("192.0.2.2", Ok(())),
        ("2001:db8:0:7::", locked(300)),
        ("2001:db8:0:8::", Ok(())),
    ] {
        assert_eq!(
            lockouts.check(Subject::secret(ip(address)), at(0)),
            expected,
            "{address}"
        );
    }
}

#[test]
fn t99_loopback_is_slowed_and_never_locked_out() {
    let lockouts = lockouts();
    for (address, second) in [("127.0.0.1", 0), ("::1", 0), ("::ffff:127.0.0.2", 0)] {
        let subject = Subject::secret(ip(address));
        let delays: Vec<_> = (0..100)
            .map(|_| lockouts.failed(subject, at(second)).unwrap().as_millis())
            .collect();
        assert_eq!(delays[..6], [250, 500, 1000, 2000, 4000, 4000], "{address}");
        assert_eq!(delays[99], 4000);
        assert_eq!(lockouts.check(subject, at(second)), Ok(()));
        lockouts.succeeded(subject);
        let delay = lockouts.failed(subject, at(second)).unwrap();
        assert_eq!(delay.as_millis(), 250);
        lockouts.succeeded(subject);
    }
}

#[test]
fn t99_a_flood_of_addresses_frees_nobody_who_is_locked_out() {
    let lockouts = Lockouts::holding(&GatewayLimits::default(), 100);
    let caught = Subject::secret(ip("192.0.2.1"));
    for _ in 0..10 {
        lockouts.failed(caught, at(0));
    }
    for number in 0..10_000_u32 {
        let address = IpAddr::V4((0x0a00_0000 + number).into());
        lockouts.failed(Subject::secret(address), at(1));
    }
    assert_eq!(lockouts.check(caught, at(1)), locked(299));
    let state = lockouts.state();
    assert_eq!(state.entries.len(), 100);
    assert_eq!((state.open.len(), state.locked.len()), (99, 1));
}

#[test]
fn whose_lock_is_over_makes_room_before_who_is_guessing() {
    let lockouts = Lockouts::holding(&GatewayLimits::default(), 2);
    let subject = |number: u8| Subject::secret(ip(&format!("192.0.2.{number}")));
    for _ in 0..10 {
        lockouts.failed(subject(0), at(0));
    }
    for _ in 0..9 {
        lockouts.failed(subject(1), at(300));
    }
    lockouts.failed(subject(2), at(300));
    lockouts.failed(subject(1), at(300));
    assert_eq!(lockouts.check(subject(1), at(300)), locked(300));
}

#[test]
fn t99_where_all_are_locked_out_those_of_longest_ago_go() {
    let lockouts = Lockouts::holding(&GatewayLimits::default(), 3);
    let subject = |number: u8| Subject::secret(ip(&format!("192.0.2.{number}")));
    for number in 0..5 {
        for _ in 0..10 {
            lockouts.failed(subject(number), at(i64::from(number)));
        }
    }
    let checks = [0, 1, 2, 3, 4].map(|number| lockouts.check(subject(number), at(4)).is_err());
    // The newcomer is not locked out by its first failure, and takes the place of the oldest.
    assert_eq!(checks, [false, false, true, true, true]);
}

#[test]
fn a_clock_set_back_locks_nobody_up_for_longer() {
    let lockouts = lockouts();
    let subject = Subject::secret(ip(OUTSIDE));
    for _ in 0..10 {
        lockouts.failed(subject, at(1_000_000));
    }
    assert_eq!(lockouts.check(subject, at(0)), locked(300));
}

proptest! {
    #[test]
    fn what_is_remembered_is_bounded_and_in_order(
        steps in proptest::collection::vec((0..3_u8, 0..12_u8, 0..400_i64), 0..400),
    ) {
        let lockouts = Lockouts::holding(&GatewayLimits::default(), 5);
        for (step, number, second) in steps {
            let subject = Subject::secret(ip(&format!("192.0.2.{}", number / 2)));
            match step {
                0 => lockouts.succeeded(subject),
                1 => drop(lockouts.check(subject, at(second))),
                _ => drop(lockouts.failed(subject, at(second))),
            }
            let state = lockouts.state();
            prop_assert!(state.entries.len() <= 5);
            prop_assert_eq!(state.open.len() + state.locked.len(), state.entries.len());
            let most = state.limits.secret_failures;
            prop_assert!(state.entries.values().all(|entry| entry.failures.len() <= most));
        }
    }
}
