use super::*;

const SECOND: Duration = Duration::from_secs(1);
const NOW: Moment = Duration::from_secs(1_000_000);

fn share(at_once: Option<u32>, per_second: Option<u32>) -> Share {
    let rules = Rules {
        at_once,
        per_second,
        ..Rules::default()
    };
    Share::of(&rules, 1)
}

const FREE: Share = Share {
    at_once: None,
    apart: None,
};

fn ticket(number: u64) -> Ticket {
    (Timestamp(0), number)
}

fn goes(turned: Turned) -> bool {
    matches!(turned, Turned::Go { .. })
}

/// A host that has just been taken for down.
fn down(now: Moment) -> Host {
    let mut host = Host::new(now);
    for _ in 1..FAILURES {
        assert_eq!(host.tell(Told::Silent, false, now), None);
    }
    let changed = host.tell(Told::Unreachable, false, now);
    assert_eq!(changed, Some(Changed::Down));
    host
}

#[test]
fn processes_divide_what_is_allowed_and_each_has_at_least_one() {
    let rules = Rules {
        at_once: Some(10),
        per_second: Some(10),
        ..Rules::default()
    };
    for (processes, at_once, apart_ms) in [(0, 10, 100), (1, 10, 100), (4, 2, 400), (40, 1, 4_000)]
    {
        let share = Share::of(&rules, processes);
        assert_eq!(share.at_once, Some(at_once));
        assert_eq!(share.apart, Some(Duration::from_millis(apart_ms)));
    }
    assert_eq!(Share::of(&Rules::default(), 3), FREE);
}

#[test]
fn no_more_than_the_limit_are_under_way() {
    let now = NOW;
    let share = share(Some(2), None);
    let mut host = Host::new(now);
    assert!(goes(host.ask(ticket(1), share, now)));
    assert!(goes(host.ask(ticket(2), share, now)));
    assert_eq!(host.ask(ticket(3), share, now), Turned::Wait(None));
    host.leave(false, SECOND);
    assert!(goes(host.ask(ticket(3), share, now)));
}

#[test]
fn requests_leave_as_far_apart_as_the_rate_says() {
    let mut now = NOW;
    let share = share(None, Some(4));
    let mut host = Host::new(now);
    for number in 0..20 {
        let turned = host.ask(ticket(number), share, now);
        if number > 0 {
            assert_eq!(turned, Turned::Wait(Some(now + SECOND / 4)));
            now += SECOND / 4;
            assert!(goes(host.ask(ticket(number), share, now)));
        }
        host.leave(false, Duration::ZERO);
    }
}

#[test]
fn who_began_first_goes_first_however_late_it_comes() {
    let now = NOW;
    let share = share(Some(1), None);
    let mut host = Host::new(now);
    assert!(goes(host.ask((Timestamp(5), 0), share, now)));
    let (young, old) = ((Timestamp(9), 1), (Timestamp(2), 2));
    host.line_up(young, Arc::new(Notify::new()));
    host.line_up(old, Arc::new(Notify::new()));
    host.leave(false, SECOND);
    assert_eq!(host.ask(young, share, now), Turned::Wait(None));
    assert!(goes(host.ask(old, share, now)));
    host.step_out(old);
    host.leave(false, SECOND);
    assert!(goes(host.ask(young, share, now)));
}

#[test]
fn who_would_wait_long_is_sent_away_and_all_of_them_come_back_apart() {
    let now = NOW;
    let share = share(None, Some(1));
    let mut host = Host::new(now);
    assert!(goes(host.ask(ticket(0), share, now)));
    host.line_up(ticket(1), Arc::new(Notify::new()));
    host.line_up(ticket(2), Arc::new(Notify::new()));
    let mut last = Duration::ZERO;
    for number in 3..500 {
        let Turned::Later(wait) = host.ask(ticket(number), share, now) else {
            panic!("it does not wait here");
        };
        assert!(wait >= last + SECOND, "{number}: {wait:?} after {last:?}");
        last = wait;
    }
    // However many they are, nobody stays away for longer than this.
    for number in 500..5_000 {
        let turned = host.ask(ticket(number), share, now);
        assert!(matches!(turned, Turned::Later(wait) if wait <= LONGEST_AWAY));
    }
}

#[test]
fn the_line_is_bounded_where_only_the_number_is() {
    let now = NOW;
    let share = share(Some(1), None);
    let mut host = Host::new(now);
    assert!(goes(host.ask(ticket(0), share, now)));
    for number in 1..=LINE as u64 {
        assert_eq!(host.ask(ticket(number), share, now), Turned::Wait(None));
        host.line_up(ticket(number), Arc::new(Notify::new()));
    }
    let turned = host.ask(ticket(1_000), share, now);
    assert!(matches!(turned, Turned::Later(_)), "{turned:?}");
}

#[test]
fn a_host_rests_as_long_as_it_asks_but_not_for_ever() {
    let now = NOW;
    let mut host = Host::new(now);
    host.tell(Told::Rest(SECOND * 30), false, now);
    let Turned::Later(wait) = host.ask(ticket(0), FREE, now) else {
        panic!("it rests");
    };
    assert!(wait >= SECOND * 30 && wait < SECOND * 31, "{wait:?}");
    let soon = now + SECOND * 30 - SECOND / 2;
    let turned = host.ask(ticket(1), FREE, soon);
    assert_eq!(turned, Turned::Wait(Some(now + SECOND * 30)));
    assert!(goes(host.ask(ticket(1), FREE, now + SECOND * 30)));
    host.tell(Told::Rest(Duration::MAX), false, now);
    assert!(goes(host.ask(ticket(2), FREE, now + LONGEST_REST)));
}

#[test]
fn only_failures_in_a_row_take_a_host_for_down() {
    let now = NOW;
    let mut host = Host::new(now);
    for told in [Told::Silent, Told::Unreachable, Told::Failed(500)] {
        for _ in 0..100 {
            for _ in 1..FAILURES {
                assert_eq!(host.tell(told, false, now), None);
            }
            // An answer of less than 500, also one that refuses, says that it is there.
            assert_eq!(host.tell(Told::Up, false, now), None);
        }
    }
    assert!(goes(host.ask(ticket(0), FREE, now)));
}

#[test]
fn a_host_that_is_down_gets_one_probe_after_each_growing_pause() {
    let begun = NOW;
    let mut host = down(begun);
    let mut now = begun;
    let mut pauses = Vec::new();
    for _ in 0..9 {
        let Turned::Down(pause) = host.ask(ticket(0), FREE, now) else {
            panic!("it is down");
        };
        pauses.push(pause);
        now += pause;
        assert_eq!(
            host.ask(ticket(1), FREE, now),
            Turned::Go { is_probe: true }
        );
        // Nobody else goes with it.
        let other = host.ask(ticket(2), FREE, now);
        assert!(matches!(other, Turned::Down(_)), "{other:?}");
        host.leave(true, SECOND);
        assert_eq!(host.tell(Told::Failed(503), true, now), Some(Changed::Down));
    }
    let grain = Duration::from_millis(1);
    assert_eq!(pauses[0], FIRST_PAUSE + grain);
    assert!(pauses.is_sorted());
    assert_eq!(pauses[8], LONGEST_PAUSE + grain);
    now += LONGEST_PAUSE;
    assert!(goes(host.ask(ticket(3), FREE, now)));
    assert_eq!(host.tell(Told::Up, true, now), Some(Changed::Up));
    assert!(goes(host.ask(ticket(4), FREE, now)));
}

#[test]
fn a_probe_that_is_given_up_leaves_room_for_another() {
    let begun = NOW;
    let mut host = down(begun);
    let now = begun + FIRST_PAUSE;
    assert!(goes(host.ask(ticket(0), FREE, now)));
    host.leave(true, Duration::ZERO);
    assert!(goes(host.ask(ticket(1), FREE, now)));
}

#[test]
fn what_left_before_it_was_down_makes_no_pause_longer_but_an_answer_ends_it() {
    let now = NOW;
    let mut host = down(now);
    let before = host.down();
    assert_eq!(host.tell(Told::Silent, false, now), None);
    assert_eq!(host.down(), before);
    assert_eq!(host.tell(Told::Up, false, now), Some(Changed::Up));
}

#[test]
fn what_other_processes_found_out_holds_here_too() {
    let now = NOW;
    let mut host = Host::new(now);
    host.learn_down(now + SECOND * 20, 12, now);
    assert_eq!(
        host.ask(ticket(0), FREE, now),
        Turned::Down(SECOND * 20 + Duration::from_millis(1))
    );
    host.learn_up();
    assert!(goes(host.ask(ticket(0), FREE, now)));
    // It is on probation.
    assert_eq!(host.tell(Told::Silent, false, now), Some(Changed::Down));
}

/// A clock that was ahead and is set right makes nobody wait for longer than one that was right.
#[test]
fn a_clock_that_is_set_back_makes_no_pause_or_rest_longer() {
    let ahead = NOW + SECOND * 1_000_000;
    let mut is_down = down(ahead);
    assert_eq!(
        is_down.ask(ticket(0), FREE, NOW),
        Turned::Down(FIRST_PAUSE + Duration::from_millis(1))
    );
    assert!(goes(is_down.ask(ticket(1), FREE, NOW + FIRST_PAUSE)));

    let mut rests = Host::new(ahead);
    rests.tell(Told::Rest(SECOND * 30), false, ahead);
    let turned = rests.ask(ticket(0), FREE, NOW);
    assert!(matches!(turned, Turned::Later(_)), "{turned:?}");
    assert!(goes(rests.ask(ticket(1), FREE, NOW + SECOND * 30)));
    // One that is over does not come back.
    assert!(goes(rests.ask(ticket(2), FREE, NOW - SECOND)));

    let share = share(None, Some(1));
    let mut rated = Host::new(ahead);
    assert!(goes(rated.ask(ticket(0), share, ahead)));
    assert_eq!(
        rated.ask(ticket(1), share, NOW),
        Turned::Wait(Some(NOW + SECOND))
    );
    for second in 1..10 {
        assert!(goes(rated.ask(
            ticket(second),
            share,
            NOW + SECOND * second as u32
        )));
    }
}

#[test]
fn a_process_whose_clock_is_ahead_lets_nobody_else_wait_longer() {
    let far = NOW + SECOND * 1_000_000;
    let most = Turned::Down(LONGEST_PAUSE + Duration::from_millis(1));
    let mut host = Host::new(NOW);
    host.learn_down(far, 12, NOW);
    assert_eq!(host.ask(ticket(0), FREE, NOW), most);
    let mut known = down(NOW);
    known.learn_down(far, 12, NOW);
    assert_eq!(known.ask(ticket(0), FREE, NOW), most);
    // What it found out itself is not forgotten for what ends earlier.
    known.learn_down(NOW, 13, NOW);
    assert_eq!(known.ask(ticket(1), FREE, NOW), most);
    assert_eq!(known.down(), Some((NOW + LONGEST_PAUSE, 13)));
}
