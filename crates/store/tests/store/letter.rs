//! The outbox of e-mails: who is written to, what, by which process, and how often.

use std::time::Duration;

use domain::account::{Me, Role};
use domain::review::letter::Letter;
use domain::review::thread::NewThread;
use domain::review::{Anchor, Happening, Verdict};
use domain::{ReviewId, ThreadId};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::{ClaimedLetter, Store};

use crate::world::World;

/// Waits for nothing else that happens.
const AT_ONCE: Duration = Duration::ZERO;

async fn next(store: &Store) -> Option<ClaimedLetter> {
    store.claim_letter(AT_ONCE).await.expect("it answers")
}

async fn comment(world: &World, me: &Me, review: ReviewId, body: &str) -> ThreadId {
    let comment = NewThread {
        anchor: Anchor {
            target: None,
            field: None,
            entry: None,
            range: None,
        },
        on_base: false,
        revision: 1,
        body: body.to_owned(),
        suggestion: None,
        is_pending: false,
    };
    let thread = world.store.start_thread(me, review, comment).await;
    thread.expect("a member comments")
}

/// Returns what happened and what was said, in order.
fn told(letter: &Letter) -> Vec<(Happening, Vec<&str>)> {
    let events = letter.events.iter();
    let said = events.map(|event| {
        let texts = event.said.iter().map(|said| said.text.as_str());
        (event.happening, texts.collect())
    });
    said.collect()
}

/// Returns how many rows of the outbox are in each state, with why.
async fn outbox(world: &World) -> Vec<(String, Option<String>, i64)> {
    sqlx::query_as("select state, error, count(*) from mail group by 1, 2 order by 1, 2")
        .fetch_all(&world.sql)
        .await
        .expect("it answers")
}

/// Makes all letters that wait due now.
async fn pass_time(world: &World) {
    let moved =
        "update mail set next_attempt = now() - interval '1 second' where state = 'waiting'";
    world.execute(moved).await;
}

#[sqlx::test]
async fn who_is_asked_gets_a_letter_once_that_says_what_for(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::reviewing(options).await;
    let ben = world.member(Role::Collaborator).await;
    let (_, draft) = world.draft_of(crate::world::clean("webhook")).await;
    let text = "It loses orders.";
    let review = world
        .store
        .create_review(&world.admin, draft, "Retry", text, &[ben.account])
        .await
        .expect("an Admin asks");
    let early = world.store.claim_letter(Duration::from_secs(60)).await;
    assert!(early.expect("it answers").is_none(), "more may happen");

    let claimed = next(&world.store).await.expect("it is due");
    let letter = &claimed.letter;
    assert!(claimed.email.starts_with("collaborator-"));
    assert_eq!((letter.review, letter.title.as_str()), (review, "Retry"));
    assert_eq!(letter.organization, "Demo Workshop");
    assert_eq!(
        (letter.to.as_str(), letter.events[0].by.as_str()),
        ("Collaborator", "An Admin")
    );
    assert_eq!(told(letter), [(Happening::Asked, vec![text])]);
    assert!(next(&world.store).await.is_none(), "it is claimed");
    world.store.letter_sent(&claimed).await.expect("it answers");
    pass_time(&world).await;
    assert!(next(&world.store).await.is_none(), "it is sent");
    assert_eq!(outbox(&world).await, [("sent".to_owned(), None, 1)]);
    world.end().await;
}

#[sqlx::test]
async fn what_happens_together_is_one_letter_and_no_text_is_sent_twice(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::reviewing(options).await;
    let ben = world.member(Role::Collaborator).await;
    let (_, review) = world.review().await;
    let thread = comment(&world, &ben, review, "Why twice?").await;
    world
        .submit(&ben, review, 1, Verdict::Reject)
        .await
        .expect("a Collaborator decides");
    let first = next(&world.store).await.expect("the author is told");
    assert_eq!(
        told(&first.letter),
        [
            (Happening::Commented, vec!["Why twice?"]),
            (Happening::Rejected, vec!["Because."]),
        ]
    );
    assert_eq!(first.letter.events[0].thread, Some(thread));
    assert!(next(&world.store).await.is_none());

    let said = "@An Admin, once is enough.";
    comment(&world, &ben, review, said).await;
    let second = next(&world.store).await.expect("the author is told");
    assert_eq!(told(&second.letter), [(Happening::Mentioned, vec![said])]);
    assert_ne!(first.id, second.id);
    for letter in [&first, &second] {
        world.store.letter_sent(letter).await.expect("it answers");
    }
    assert_eq!(outbox(&world).await, [("sent".to_owned(), None, 3)]);
    world.end().await;
}

#[sqlx::test]
async fn processes_share_the_letters_and_none_goes_out_twice(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::reviewing(options).await;
    let (_, review) = world.review().await;
    let mut members = Vec::new();
    for _ in 0..8 {
        members.push(world.member(Role::Collaborator).await);
    }
    let asked: Vec<_> = members.iter().map(|member| member.account).collect();
    world
        .store
        .ask_reviewers(&world.admin, review, &asked)
        .await
        .expect("an Admin asks");
    let other = world.other_process().await;
    // Whoever finds another claiming gets nothing just then, so both ask until nothing waits.
    let all = async |store: &Store| {
        let mut emails = Vec::new();
        while world
            .count("select count(*) from mail where state = 'waiting'")
            .await
            > 0
        {
            while let Some(claimed) = next(store).await {
                store.letter_sent(&claimed).await.expect("it answers");
                emails.push(claimed.email);
            }
        }
        emails
    };
    let (here, there) = tokio::join!(all(&world.store), all(&other));
    let mut emails = [here, there].concat();
    assert_eq!(emails.len(), 8, "each once");
    emails.sort();
    emails.dedup();
    assert_eq!(emails.len(), 8, "to each of them");
    other.close().await;
    world.end().await;
}

#[sqlx::test]
async fn a_letter_that_is_refused_is_tried_later_or_never(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::reviewing(options).await;
    let ben = world.member(Role::Collaborator).await;
    let (_, review) = world.review().await;
    world
        .store
        .ask_reviewers(&world.admin, review, &[ben.account])
        .await
        .expect("an Admin asks");
    let waits = "select extract(epoch from next_attempt - now())::bigint from mail";
    for pause in [60, 300, 1_800, 7_200, 7_200] {
        let claimed = next(&world.store).await.expect("it is due");
        let delayed = world.store.letter_delayed(&claimed, "450 busy\0").await;
        delayed.expect("it answers");
        assert!(next(&world.store).await.is_none());
        let left = world.count(waits).await;
        assert!((pause - 10..=pause).contains(&left), "{left} of {pause}");
        pass_time(&world).await;
    }
    let claimed = next(&world.store).await.expect("it is due");
    let failed = world.store.letter_failed(&claimed, "550 nobody").await;
    failed.expect("it answers");
    pass_time(&world).await;
    assert!(next(&world.store).await.is_none());
    let reason = Some("550 nobody".to_owned());
    assert_eq!(outbox(&world).await, [("failed".to_owned(), reason, 1)]);
    world.end().await;
}

#[sqlx::test]
async fn a_process_that_went_silent_loses_its_letter(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::reviewing(options).await;
    let ben = world.member(Role::Collaborator).await;
    let (_, review) = world.review().await;
    comment(&world, &ben, review, "Hello").await;
    let silent = next(&world.store).await.expect("it is due");
    pass_time(&world).await;
    let other = world.other_process().await;
    let taken = next(&other).await.expect("the lease is over");
    assert_eq!(
        silent.id, taken.id,
        "it is known again by whoever got it before"
    );
    let late = world.store.letter_failed(&silent, "too late").await;
    late.expect("it answers");
    assert_eq!(outbox(&world).await, [("waiting".to_owned(), None, 1)]);
    other.letter_sent(&taken).await.expect("it answers");
    assert_eq!(outbox(&world).await, [("sent".to_owned(), None, 1)]);
    other.close().await;
    world.end().await;
}

#[sqlx::test]
async fn what_was_read_or_is_for_someone_who_left_is_not_sent(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::reviewing(options).await;
    let ben = world.member(Role::Collaborator).await;
    let cleo = world.member(Role::Collaborator).await;
    let (_, review) = world.review().await;
    let both = [ben.account, cleo.account];
    let asked = world.store.ask_reviewers(&world.admin, review, &both).await;
    asked.expect("an Admin asks");
    let looked = world.store.looked_at_review(&ben, review, 1).await;
    looked.expect("a member looks");
    let left = world.store.remove_member(&world.admin, cleo.account).await;
    left.expect("an Admin removes");
    assert!(next(&world.store).await.is_none());
    assert!(outbox(&world).await.is_empty());
    world.end().await;
}

#[sqlx::test]
async fn a_letter_that_nobody_sends_does_not_wait_for_ever(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::reviewing(options).await;
    let ben = world.member(Role::Collaborator).await;
    let (_, review) = world.review().await;
    comment(&world, &ben, review, "Hello").await;
    let give_up = async || world.store.give_up_letters().await.expect("it answers");
    assert_eq!(give_up().await, 0);
    world
        .execute("update notification set at = at - interval '25 hours'")
        .await;
    let claimed = next(&world.store).await.expect("it is due");
    assert_eq!(give_up().await, 0, "it is being sent");
    let delayed = world.store.letter_delayed(&claimed, "450 busy").await;
    delayed.expect("it answers");
    assert_eq!(give_up().await, 0, "its turn has not come");
    pass_time(&world).await;
    assert_eq!(give_up().await, 1);
    let reason = Some("450 busy".to_owned());
    assert_eq!(outbox(&world).await, [("failed".to_owned(), reason, 1)]);

    world
        .execute("update mail set state = 'waiting', attempts = 0, error = null")
        .await;
    assert_eq!(give_up().await, 1);
    let reason = Some("No SMTP server is set up.".to_owned());
    assert_eq!(outbox(&world).await, [("failed".to_owned(), reason, 1)]);
    world.end().await;
}

#[sqlx::test]
async fn a_letter_that_cannot_be_read_holds_up_no_other(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::reviewing(options).await;
    let ben = world.member(Role::Collaborator).await;
    let (_, review) = world.review().await;
    comment(&world, &ben, review, "Hello").await;
    world.damage("review", "review_id", review.0).await;
    assert!(next(&world.store).await.is_none(), "nothing of it is known");
    let reason = Some("What is stored of it cannot be read.".to_owned());
    let expected = [("failed".to_owned(), reason, 1)];
    assert_eq!(outbox(&world).await, expected);
    world.execute("delete from damaged").await;
    comment(&world, &ben, review, "Are you there?").await;
    let sent = next(&world.store).await.expect("it is next");
    assert_eq!(sent.letter.events.len(), 1);
    world.end().await;
}
