//! Who has what open: told to all processes in order, and only of what is there.

use domain::account::Role;
use domain::live::{Changed as What, Place};
use domain::presence::{At, FieldMark};
use domain::{DraftId, ReviewId, StepId};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::Changed;
use uuid::Uuid;

use crate::world::{World, assert_not_found};

#[sqlx::test]
async fn what_a_page_tells_last_is_heard_last_in_every_process(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::reviewing(options).await;
    let (draft, review) = world.review().await;
    let reader = world.member(Role::Reader).await;
    let other = world.other_process().await;
    let (mut here, mut there) = (world.store.listen(), other.listen());
    let [one, two] = [1, 2].map(|id| Some(StepId(Uuid::from_u128(id))));
    // More than fit into one notice, and back to where it was.
    let mut steps = [one, two].repeat(30);
    steps.push(one);
    let place = Place::Draft(draft);
    let field = FieldMark::of("message");
    let at = |step: Option<StepId>| At {
        step,
        field: step.map(|_| field),
    };
    for step in &steps {
        let told = world.store.here(&reader, place, at(*step), 7, false).await;
        told.expect("a Reader may look");
    }
    let left = world
        .store
        .here(&reader, place, At::default(), 7, true)
        .await;
    left.expect("a Reader may leave");
    for listener in [&mut here, &mut there] {
        for (index, step) in steps.iter().chain([&None]).enumerate() {
            let told = Changed {
                organization: world.admin.organization,
                what: What::Here {
                    place,
                    account: reader.account,
                    step: *step,
                    field: step.map(|_| field),
                    tab: 7,
                    is_leaving: index == steps.len(),
                },
            };
            assert_eq!(listener.recv().await.expect("it is told"), told);
        }
    }
    let review = Place::Review(review);
    let told = world
        .store
        .here(&reader, review, At::default(), 8, false)
        .await;
    told.expect("a Reader may look");
    let heard = there.recv().await.expect("it is told");
    assert!(matches!(heard.what, What::Here { place, tab: 8, .. } if place == review));
    other.close().await;
    world.end().await;
}

#[sqlx::test]
async fn nobody_is_at_what_is_not_there(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::reviewing(options).await;
    let (draft, review) = world.review().await;
    let outsider = world.outsider().await;
    let mut heard = world.store.listen();
    let nowhere = Uuid::now_v7();
    for (me, place) in [
        (&outsider, Place::Draft(draft)),
        (&outsider, Place::Review(review)),
        (&world.admin, Place::Draft(DraftId(review.0))),
        (&world.admin, Place::Review(ReviewId(nowhere))),
    ] {
        assert_not_found(world.store.here(me, place, At::default(), 1, false).await);
    }
    assert!(heard.try_recv().is_err(), "nobody was told");
    world.end().await;
}
